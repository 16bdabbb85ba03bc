"""From a filled template to an email."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from email_service.mailbox import Mailbox
from shared.delivery import Address
from shared.errors import RecipientRejected
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Channel, OnUnknown
from shared.schemas.wire import NotificationMessage


@dataclass(frozen=True, slots=True)
class EmailContent:
    """One email to one person: text, or text and HTML. `headers` stand beside the usual ones."""

    sender: Mailbox
    recipient: Mailbox
    subject: str
    text: str
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class EmailChannel:
    """Email: a repeat is recognised by its Message-ID."""

    name = Channel.EMAIL
    on_unknown: OnUnknown = "resend"

    def __init__(self, sender: Mailbox) -> None:
        self._sender = sender

    def addresses(self, profile: Profile) -> Sequence[Address]:
        return [Address(profile.email)] if profile.email else []

    def compose(
        self, fields: Mapping[str, str], _message: NotificationMessage, address: Address
    ) -> EmailContent:
        """Raises RecipientRejected for an address that no mail can go to."""
        try:
            recipient = Mailbox.of(address.value)
        except ValueError as error:
            raise RecipientRejected(str(error)) from error
        return EmailContent(
            sender=self._sender,
            recipient=recipient,
            subject=fields["subject"],
            text=fields["body_text"],
            html=fields.get("body_html"),
            headers={"Auto-Submitted": "auto-generated"},
        )
