from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.delivery import Address
from shared.errors import RecipientRejected
from shared.rendering import ContentTooLarge
from shared.schemas.profile import Profile
from shared.schemas.wire import NotificationMessage
from sms_service.content import MAX_CHARACTERS, SmsChannel

CHANNEL = SmsChannel()
MESSAGE = NotificationMessage(
    id=uuid4(),
    channel="sms",
    user_id=1,
    template_id="code",
    correlation_id="c",
    created_at=datetime.now(UTC),
    expires_at=datetime.now(UTC) + timedelta(hours=1),
)


def compose(text: str, number: str = "+14155552671"):
    return CHANNEL.compose({"body_text": text}, MESSAGE, Address(number))


def test_a_user_with_a_number_gets_one_text():
    assert CHANNEL.addresses(Profile(user_id=1, version=1)) == []
    [address] = CHANNEL.addresses(Profile(user_id=1, version=1, phone_number="+14155552671"))
    assert address.value == "+14155552671"


def test_a_text_costs_its_segments():
    assert compose("a" * 161).segments == 2


def test_a_number_is_normalised_once_more():
    assert compose("hi", "+1 (415) 555-2671").recipient == "+14155552671"


@pytest.mark.parametrize("number", ["", "4155552671", "+1", "+1415555267100000"])
def test_what_is_no_number_is_refused_before_it_costs_anything(number):
    with pytest.raises(RecipientRejected):
        compose("hi", number)


def test_a_text_beyond_the_limit_is_too_large():
    assert compose("a" * MAX_CHARACTERS)
    with pytest.raises(ContentTooLarge):
        compose("a" * (MAX_CHARACTERS + 1))
