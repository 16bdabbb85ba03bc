"""From a filled template to a text message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.delivery import Address
from shared.errors import RecipientRejected
from shared.rendering import ContentTooLarge
from shared.schemas.addresses import normal_phone_number
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Channel, OnUnknown
from shared.schemas.wire import NotificationMessage
from sms_service.segments import segments

MAX_CHARACTERS = 1600
"""What Twilio joins into one message."""


@dataclass(frozen=True, slots=True)
class SmsContent:
    """One text to one number in E.164."""

    recipient: str
    text: str

    @property
    def segments(self) -> int:
        """The messages that are paid for."""
        return segments(self.text)


class SmsChannel:
    """SMS: nothing marks a repeat, so a send whose outcome is unknown is held."""

    name = Channel.SMS
    on_unknown: OnUnknown = "hold"

    def addresses(self, profile: Profile) -> Sequence[Address]:
        return [Address(profile.phone_number)] if profile.phone_number else []

    def compose(
        self, fields: Mapping[str, str], _message: NotificationMessage, address: Address
    ) -> SmsContent:
        """Raises ContentTooLarge, or RecipientRejected for what is no phone number."""
        try:
            recipient = normal_phone_number(address.value)
        except ValueError as error:
            raise RecipientRejected(f"the phone number {error}") from error
        text = fields["body_text"]
        if len(text) > MAX_CHARACTERS:
            raise ContentTooLarge("body_text", MAX_CHARACTERS)
        return SmsContent(recipient, text)
