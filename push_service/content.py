"""From a filled template to a push message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.delivery import Address
from shared.errors import TokenInvalid
from shared.rendering import ContentTooLarge
from shared.schemas.profile import Profile, PushTarget
from shared.schemas.vocabulary import Channel, OnUnknown, Priority
from shared.schemas.wire import NotificationMessage

MAX_BYTES = 4096
"""What FCM, APNs and Web Push all carry."""

_DATA_PREFIX = "data."


@dataclass(frozen=True, slots=True)
class PushContent:
    """One message to one device. After `expires_at` nobody needs it any more."""

    target: PushTarget
    title: str
    body: str
    data: Mapping[str, str]
    expires_at: datetime
    urgent: bool = False
    image_url: str | None = None
    action_url: str | None = None

    @property
    def size(self) -> int:
        """Bytes of everything that the device is shown or handed."""
        texts = [self.title, self.body, self.image_url or "", *self.data, *self.data.values()]
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


class PushChannel:
    """Push: a repeat is recognised by its collapse key."""

    name = Channel.PUSH
    on_unknown: OnUnknown = "resend"

    def addresses(self, profile: Profile) -> Sequence[Address]:
        return [Address(device.value, device.id, device) for device in profile.devices]

    def compose(
        self, fields: Mapping[str, str], message: NotificationMessage, address: Address
    ) -> PushContent:
        """Raises ContentTooLarge beyond what a push message holds."""
        if address.target is None:
            raise TokenInvalid("the device has no push target")
        data = {
            name.removeprefix(_DATA_PREFIX): value
            for name, value in fields.items()
            if name.startswith(_DATA_PREFIX)
        }
        action_url = fields.get("action_url") or None
        if action_url is not None:
            data.setdefault("action_url", action_url)
        content = PushContent(
            target=address.target,
            title=fields["title"],
            body=fields["body_text"],
            data=data,
            expires_at=message.expires_at.astimezone(UTC),
            urgent=message.priority in (Priority.CRITICAL, Priority.HIGH),
            image_url=fields.get("image_url") or None,
            action_url=action_url,
        )
        if content.size > MAX_BYTES:
            raise ContentTooLarge("the push message", MAX_BYTES)
        return content
