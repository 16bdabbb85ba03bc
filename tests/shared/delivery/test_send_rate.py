"""A worker in front of a provider that takes so many a second."""

from datetime import UTC, datetime, timedelta

from shared.delivery import pool
from shared.delivery.claims import claim_key
from shared.schemas.vocabulary import Priority, Status
from tests.shared.broker import notification, until


async def test_who_waits_for_its_turn_has_claimed_nothing(start, lane, cache):
    await start(rate=0.3)
    messages = [notification() for _ in range(3)]
    for message in messages:
        await lane.put(message)
    sent = (await lane.report()).notification_id
    for message in messages:
        assert await cache.command("EXISTS", claim_key(cache, message)) == (message.id == sent)


async def test_what_a_capped_provider_cannot_take_soon_stays_in_its_queue(start, lane):
    await start(rate=0.4)
    for _ in range(10):
        await lane.put(notification())
    await lane.report()
    assert await lane.waiting() >= 10 - 3 - 1


async def test_the_priority_lane_goes_first(start, lane):
    worker = await start(rate=1.2)
    for _ in range(10):
        await lane.put(notification(priority=Priority.LOW))
    await until(lambda: worker.post.began >= 1)
    urgent = notification(priority=Priority.CRITICAL)
    await lane.put(urgent)
    before = 0
    while (await lane.report()).notification_id != urgent.id:
        before += 1
    assert before < worker.settings.bulk_slots, "as many stood in the line when it came"


async def test_a_wait_beyond_patience_costs_time_and_no_attempt(start, lane, monkeypatch):
    monkeypatch.setattr(pool, "LONGEST_WAIT_SECONDS", 2.0)
    await start(rate=0.1)
    for _ in range(2):
        await lane.put(notification())
    reports = [await lane.report() for _ in range(2)]
    assert {report.status for report in reports} == {Status.SENT, Status.DEFERRED}
    [deferred] = [report for report in reports if report.status is Status.DEFERRED]
    assert "send rate" in deferred.detail
    assert (deferred.onward.attempt, deferred.onward.waits) == (1, 1)


async def test_a_lifetime_that_ends_in_the_line_is_noticed(start, lane):
    worker = await start(rate=0.5)
    await lane.put(notification())
    assert (await lane.report()).status is Status.SENT
    soon = datetime.now(UTC) + timedelta(seconds=1)
    await lane.put(notification(expires_at=soon))
    assert (await lane.report()).status is Status.EXPIRED
    assert worker.post.began == 1
