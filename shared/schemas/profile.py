"""A user as a channel worker needs to know them."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.text import BigId
from shared.schemas.vocabulary import Channel


class TargetKind(StrEnum):
    """What a push target's value is."""

    FCM_TOKEN = "fcm_token"  # noqa: S105 - a kind, not a secret


class PushAddress(BaseModel):
    """What a push provider calls a device."""

    model_config = ConfigDict(frozen=True)

    kind: TargetKind = TargetKind.FCM_TOKEN
    value: str


class PushTarget(PushAddress):
    """One device of a user; `id` names it for claims and timelines."""

    id: str


class Profile(BaseModel):
    """Addresses and preferences of one user, at one version.

    `version` grows with every change of the user, their preferences or devices: a send is
    licensed only while the version it was decided on is still the newest.
    """

    model_config = ConfigDict(frozen=True)

    user_id: int
    version: int
    active: bool = True
    email: str | None = None
    phone_number: str | None = None
    devices: tuple[PushTarget, ...] = ()
    language: str | None = None
    timezone: str | None = None
    enabled: frozenset[Channel] = Field(default_factory=lambda: frozenset(Channel))


class ProfileQuestion(BaseModel):
    """Look-up of many profiles at once."""

    user_ids: list[int] = Field(max_length=1000)


class ProfileAnswer(BaseModel):
    """The profiles that exist; an id that is missing here is an unknown user."""

    profiles: list[Profile]


class DeadDevice(BaseModel):
    """A provider called a device's token dead: it is switched off if it still has this value."""

    user_id: BigId
    device_id: str
    value: str


class DeadDeviceAnswer(BaseModel):
    """Whether the device still had that value, and is off now."""

    switched_off: bool
