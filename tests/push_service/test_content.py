from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from push_service.content import MAX_BYTES, PushChannel
from push_service.fcm.message import message
from shared.rendering import ContentTooLarge
from shared.schemas.profile import Profile, PushTarget
from shared.schemas.wire import NotificationMessage

CHANNEL = PushChannel()
PHONE = PushTarget(id="phone", value="token-phone")
FIELDS = {"title": "Bells", "body_text": "They ring."}


def notification(**changes) -> NotificationMessage:
    now = datetime.now(UTC)
    usual = {
        "id": uuid4(),
        "channel": "push",
        "user_id": 1,
        "template_id": "bells",
        "correlation_id": "c",
        "created_at": now,
        "expires_at": now + timedelta(hours=1),
    }
    return NotificationMessage(**{**usual, **changes})


def compose(fields, **changes):
    [address] = CHANNEL.addresses(Profile(user_id=1, version=1, devices=(PHONE,)))
    return CHANNEL.compose(fields, notification(**changes), address)


def test_every_device_is_an_address_of_its_own():
    tablet = PushTarget(id="tablet", value="token-tablet")
    addresses = CHANNEL.addresses(Profile(user_id=1, version=1, devices=(PHONE, tablet)))
    assert [(a.device, a.value) for a in addresses] == [
        ("phone", "token-phone"),
        ("tablet", "token-tablet"),
    ]


def test_fields_find_their_places():
    fields = {
        **FIELDS,
        "image_url": "https://example.com/bell.png",
        "action_url": "https://example.com/bells",
        "data.room": "belfry",
    }
    sent = message(compose(fields, priority="high"), "key")
    assert sent["token"] == "token-phone"
    assert sent["notification"] == {
        "title": "Bells",
        "body": "They ring.",
        "image": "https://example.com/bell.png",
    }
    assert sent["data"] == {"room": "belfry", "action_url": "https://example.com/bells"}
    assert sent["webpush"]["fcm_options"] == {"link": "https://example.com/bells"}
    assert sent["android"]["priority"] == "high"
    assert (
        sent["android"]["notification"]["tag"]
        == sent["apns"]["headers"]["apns-collapse-id"]
        == "key"
    )


@pytest.mark.parametrize("link", ["", "http://example.com", "carillon://bells"])
def test_a_link_that_no_browser_may_open_is_left_out(link):
    assert "fcm_options" not in message(compose({**FIELDS, "action_url": link}), "k")["webpush"]


@pytest.mark.parametrize(
    ("lifetime", "least", "most"),
    [
        (timedelta(hours=1), 3590, 3600),
        (timedelta(days=365), 2419200, 2419200),
        (timedelta(hours=-1), 0, 0),
    ],
)
def test_a_message_is_kept_for_its_lifetime_and_four_weeks_at_most(lifetime, least, most):
    sent = message(compose(FIELDS, expires_at=datetime.now(UTC) + lifetime), "k")
    assert least <= int(sent["android"]["ttl"].removesuffix("s")) <= most


def _mark(content, key):
    return message(content, key)["apns"]["headers"]["apns-collapse-id"]


def test_a_long_key_still_makes_one_collapse_key():
    content = compose(FIELDS)
    first, second = (
        message(content, "k" * 100)["apns"]["headers"]["apns-collapse-id"] for _ in range(2)
    )
    other = _mark(content, "k" * 101)
    assert first == second != other
    assert len(first) == 64


def test_the_limit_counts_bytes_of_all_that_travels():
    room = MAX_BYTES - len("Bells")
    assert compose({**FIELDS, "body_text": "x" * room}).size == MAX_BYTES
    with pytest.raises(ContentTooLarge):
        compose({**FIELDS, "body_text": "é" * (room // 2 + 1)})
    with pytest.raises(ContentTooLarge):
        compose({**FIELDS, "body_text": "x" * room, "data.k": ""})
