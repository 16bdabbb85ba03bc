from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from email_service.content import EmailChannel
from email_service.mailbox import Mailbox
from shared.delivery import Address
from shared.errors import RecipientRejected
from shared.schemas.profile import Profile
from shared.schemas.wire import NotificationMessage

CHANNEL = EmailChannel(Mailbox.parse("hello@carillon.example"))
MESSAGE = NotificationMessage(
    id=uuid4(),
    channel="email",
    user_id=1,
    template_id="welcome",
    correlation_id="c",
    created_at=datetime.now(UTC),
    expires_at=datetime.now(UTC) + timedelta(hours=1),
)


def test_a_user_without_an_address_cannot_be_reached():
    assert CHANNEL.addresses(Profile(user_id=1, version=1)) == []


def test_an_email_has_both_bodies_where_the_template_has():
    [address] = CHANNEL.addresses(Profile(user_id=1, version=1, email="ada@example.com"))
    fields = {"subject": "Bells", "body_text": "They ring."}
    plain = CHANNEL.compose(fields, MESSAGE, address)
    assert (plain.recipient.address, plain.subject, plain.html) == (
        "ada@example.com",
        "Bells",
        None,
    )
    both = CHANNEL.compose({**fields, "body_html": "<p>They ring.</p>"}, MESSAGE, address)
    assert both.html == "<p>They ring.</p>"


def test_an_impossible_address_is_refused_before_it_reaches_a_server():
    with pytest.raises(RecipientRejected):
        CHANNEL.compose({"subject": "", "body_text": ""}, MESSAGE, Address("ada\r\n@example.com"))
