import asyncio
import time
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging import Publisher
from shared.messaging.addressed import (
    NewerVersion,
    Unreadable,
    read_notification,
    read_outcomes,
    to_lane,
    to_retry,
    to_status,
    to_status_in_parts,
)
from shared.messaging.topology import RETRY_TIERS_MS, lane, lanes, queue_of, retry_tier
from shared.schemas.vocabulary import Channel, Priority
from shared.schemas.wire import OutcomeReport
from tests.shared.broker import notification

LONGEST_TIER_SECONDS = RETRY_TIERS_MS[-1][0] / 1000


async def test_declaring_twice_changes_nothing(broker, link):
    await Publisher(link).publish_one(to_lane(notification()))
    await broker.link("second")
    assert await broker.count("email.queue") == 1


async def test_every_channel_and_priority_has_its_lane(broker, link):
    messages = [notification(channel=c, priority=p) for c in Channel for p in Priority]
    assert await Publisher(link).publish([to_lane(m) for m in messages]) == [None] * len(messages)
    for channel in Channel:
        counts = [await broker.count(queue_of(key)) for key in lanes(channel)]
        assert counts == [2, 1, 1], "critical and high, normal, low"


async def test_a_retry_comes_back_into_its_own_lane_after_its_delay(broker, link):
    message = notification(channel="sms", priority="high")
    started = time.monotonic()
    await Publisher(link).publish_one(to_retry(message, 2000))
    assert await broker.count("sms.priority.queue") == 0
    returned = await broker.take("sms.priority.queue")
    assert time.monotonic() - started >= 1.9
    assert read_notification(returned.body) == message
    assert returned.routing_key == lane(message.channel, message.priority)


async def test_every_retry_delay_has_its_queue(broker, link):
    delays = [delay for tier in RETRY_TIERS_MS for delay in tier]
    publisher = Publisher(link)
    answers = await asyncio.gather(
        *(publisher.publish([to_retry(notification(), delay)]) for delay in delays)
    )
    assert answers == [[None]] * len(delays)


@given(st.floats(0, LONGEST_TIER_SECONDS))
def test_a_wait_is_never_shorter_than_asked_and_little_longer(delay):
    tier = retry_tier(delay)
    assert tier is not None
    assert delay * 1000 <= tier <= max(2600, delay * 1000 * 2 * 1.3)


def test_longer_waits_than_the_longest_tier_have_none():
    assert retry_tier(LONGEST_TIER_SECONDS + 0.01) is None


def test_what_is_written_is_read():
    message = notification()
    assert read_notification(to_lane(message).body) == message
    assert read_outcomes(to_status([]).body).reports == []


def test_what_is_said_of_one_hop_is_not_parted():
    message = notification()

    def said(device):
        return OutcomeReport(
            event_id=uuid4(),
            notification_id=message.id,
            generation=1,
            hop=1,
            attempt=1,
            status="retrying",
            device=device,
            partial=device is not None,
            detail="x" * 100_000,
            at=message.created_at,
        )

    hops = [[said("phone"), said("tablet"), said(None)] for _ in range(30)]
    parts = to_status_in_parts(report for hop in hops for report in hop)
    assert len(parts) > 1
    read = [read_outcomes(part.body).reports for part in parts]
    assert [report for part in read for report in part] == [r for hop in hops for r in hop]
    assert all(not part[-1].partial for part in read)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"version": 1}'])
def test_noise_is_unreadable(body):
    with pytest.raises(Unreadable):
        read_notification(body)
    with pytest.raises(Unreadable):
        read_outcomes(body)


@pytest.mark.parametrize("body", [b'{"version": 2}', notification(version=9).model_dump_json()])
def test_a_newer_version_is_no_noise(body):
    with pytest.raises(NewerVersion):
        read_notification(body)
