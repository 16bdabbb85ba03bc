"""The whole way of a message through a worker, on real RabbitMQ and Redis."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from shared.cache import ProfileCache
from shared.cache.profiles import profile_key
from shared.errors import (
    ProviderDeclined,
    RecipientRejected,
)
from shared.messaging.addressed import (
    OUTCOME_HEADER,
    REASON_HEADER,
    read_notification,
)
from shared.schemas.vocabulary import Channel, Reason, Status
from shared.schemas.wire import OutcomeReport
from tests.shared.broker import notification
from tests.shared.delivery.worker import Letters, Post


async def test_a_message_is_sent_once_and_told_of(start, lane):
    worker = await start()
    message = notification()
    await lane.put(message)
    report = await lane.report()
    assert report.status is Status.SENT
    assert (report.provider, report.provider_message_id) == ("post", "receipt-1")
    assert worker.post.sent == [("ada@example.com", "Good evening, Ada!")]
    assert worker.post.keys == [f"{message.id}.1"]


async def test_every_lane_is_served(start, lane):
    worker = await start()
    for priority in ("critical", "normal", "low"):
        await lane.put(notification(priority=priority))
        assert (await lane.report()).status is Status.SENT
    assert len(worker.post.sent) == 3


async def test_many_messages_share_look_ups(start, lane, neighbours):
    worker = await start()
    for _ in range(100):
        await lane.put(notification())
    statuses = [(await lane.report()).status for _ in range(100)]
    assert statuses == [Status.SENT] * 100
    assert len(worker.post.sent) == 100
    assert neighbours.asked["profiles"] < 20
    assert neighbours.asked["contents"] < 20


async def test_a_declined_message_comes_back_through_its_tier(start, lane):
    worker = await start(post=Post({"*": [ProviderDeclined("greylisted")]}))
    message = notification()
    await lane.put(message)
    retrying = await lane.report()
    assert (retrying.status, retrying.attempt, retrying.hop) == (Status.RETRYING, 1, 1)
    assert retrying.detail == "greylisted"
    assert retrying.provider == "post"
    sent = await lane.report()
    assert (sent.status, sent.attempt, sent.hop) == (Status.SENT, 2, 2)
    assert worker.post.keys == [f"{message.id}.1"] * 2, "every attempt carries the same key"


async def test_a_refused_message_goes_to_the_dead_letters(start, lane):
    await start(post=Post({"*": [RecipientRejected("no such mailbox")]}))
    message = notification()
    await lane.put(message)
    dead = await lane.dead_letter()
    assert read_notification(dead.body) == message
    assert dead.headers[REASON_HEADER] == "recipient_rejected"
    report = OutcomeReport.model_validate_json(dead.headers[OUTCOME_HEADER])
    assert (report.status, report.detail) == (Status.FAILED, "no such mailbox")


async def test_after_the_last_attempt_it_goes_to_the_dead_letters(start, lane):
    await start(post=Post({"*": [ProviderDeclined("later")]}))
    await lane.put(notification(attempt=4))
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "retries_exhausted"


async def test_a_bug_is_retried_and_then_told(start, lane):
    await start(post=Post({"*": [ZeroDivisionError(), ZeroDivisionError()]}))
    await lane.put(notification())
    assert (await lane.report()).status is Status.RETRYING
    await lane.put(notification(attempt=4))
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "internal_error"


async def test_invariant_a_preference_is_obeyed_up_to_the_licence(
    start, lane, neighbours, cache, redis_url
):
    """Invariant: no send begins on a profile that a returned call has replaced."""
    changed = neighbours.profiles[1].model_copy(
        update={"version": 2, "enabled": frozenset({Channel.SMS})}
    )

    def switch_email_off() -> None:
        """All in one turn of the loop: after the decision, before the licence."""
        neighbours.profiles[1] = changed
        with redis.Redis.from_url(redis_url) as client:
            client.set(profile_key(cache, 1), f"2|{changed.model_dump_json()}", px=30_000)

    worker = await start(channel=Letters(before_sending=switch_email_off))
    await lane.put(notification())
    report = await lane.report()
    assert (report.status, report.reason) == (Status.SKIPPED, Reason.CHANNEL_DISABLED)
    assert worker.post.began == 0


async def test_a_changed_address_is_used_even_when_it_was_composed_before(
    start, lane, neighbours, cache
):
    worker = await start()
    await lane.put(notification())
    await lane.report()
    moved = neighbours.profiles[1].model_copy(update={"version": 2, "email": "new@example.com"})
    neighbours.profiles[1] = moved
    await ProfileCache(cache).put_many([moved])
    await lane.put(notification())
    await lane.report()
    assert [address for address, _ in worker.post.sent] == ["ada@example.com", "new@example.com"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user_id": 99}, Reason.USER_NOT_FOUND),
        ({"template_id": "unknown"}, Reason.TEMPLATE_NOT_FOUND),
        ({"variables": {}}, Reason.MISSING_VARIABLE),
    ],
)
async def test_what_cannot_be_delivered_says_why(start, lane, change, reason):
    worker = await start()
    await lane.put(notification(**change))
    assert (await lane.dead_letter()).headers[REASON_HEADER] == reason
    assert worker.post.began == 0


async def test_what_came_too_late_is_not_sent(start, lane):
    worker = await start()
    await lane.put(notification(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    report = await lane.report()
    assert (report.status, report.reason) == (Status.EXPIRED, Reason.EXPIRED)
    assert worker.post.began == 0


async def test_a_test_keys_message_meets_no_provider(start, lane):
    worker = await start()
    await lane.put(notification(mode="test"))
    report = await lane.report()
    assert (report.status, report.provider) == (Status.SENT, "simulated")
    assert worker.post.began == 0
