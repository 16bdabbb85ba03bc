"""One address that a notification goes to in place of those in its user's profile."""

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from shared.schemas.profile import Profile, PushAddress, PushTarget
from shared.schemas.vocabulary import Channel


class Recipient(BaseModel):
    """Exactly one address; which one it is names the channel."""

    model_config = ConfigDict(frozen=True)

    email: str | None = None
    phone: str | None = None
    push: PushAddress | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(address is not None for address in (self.email, self.phone, self.push)) != 1:
            raise ValueError("must be one of email, phone and push")
        return self

    @property
    def channel(self) -> Channel:
        if self.email is not None:
            return Channel.EMAIL
        return Channel.SMS if self.phone is not None else Channel.PUSH

    def in_place_of_those_in(self, profile: Profile) -> Profile:
        """The profile with this address as the only one of its channel; all else stays."""
        if self.push is not None:
            target = PushTarget(id="", kind=self.push.kind, value=self.push.value)
            return profile.model_copy(update={"devices": (target,)})
        if self.email is not None:
            return profile.model_copy(update={"email": self.email})
        return profile.model_copy(update={"phone_number": self.phone})
