"""What a channel supplies; everything else of a delivery is shared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shared.schemas.profile import Profile, PushTarget
from shared.schemas.vocabulary import Channel, OnUnknown
from shared.schemas.wire import NotificationMessage

Content_co = TypeVar("Content_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Address:
    """Where one copy goes. `device` names it where a user has several, else it is empty."""

    value: str
    device: str = ""
    target: PushTarget | None = None


class ChannelKind(Protocol[Content_co]):
    """One channel.

    `compose` turns rendered fields into what the channel's providers send; it raises
    `shared.rendering.ContentTooLarge` when that is more than the channel carries.
    `on_unknown` says what becomes of a send whose outcome nobody knows, unless its message says:
    `resend` where the far end can recognise a repeat, `hold` where it cannot.
    """

    name: Channel
    on_unknown: OnUnknown

    def addresses(self, profile: Profile) -> Sequence[Address]: ...

    def compose(
        self, fields: Mapping[str, str], message: NotificationMessage, address: Address
    ) -> Content_co: ...
