"""What is lost is enqueued once more; what may be on its way is left alone."""

from datetime import timedelta

import pytest

from shared.cache import Cache, ProfileCache
from shared.delivery.claims import Claims
from shared.delivery.licence import Licences
from shared.delivery.outcome import Sent
from shared.messaging import Link
from shared.messaging.addressed import to_lane
from shared.schemas.profile import Profile
from tests.api_gateway.reconciler.stalled import add, ago, enqueued, put_in_outbox, went_on
from tests.shared.broker import notification

LOOKS = 3
"""What stands still; whether it can be on its way; again what still stands there."""


async def looked(reconciler, times=LOOKS):
    for _ in range(times):
        await reconciler.look()


async def test_what_is_lost_is_enqueued_with_its_own_hop(reconciler, database):
    queued, retrying, deferred, again = [(await add(database))[0] for _ in range(4)]
    await went_on(database, retrying, "retrying", hop=2, attempt=2, provider="smtp")
    await went_on(database, deferred, "deferred", hop=4)
    await went_on(database, again, "retrying", generation=2, hop=1, attempt=1, provider="smtp")
    await looked(reconciler, LOOKS - 1)
    assert await enqueued(database) == {}
    await looked(reconciler, 1)
    found = await enqueued(database)
    assert {i: (m.generation, m.hop, m.attempt, m.waits) for i, m in found.items()} == {
        queued: (1, 1, 1, 0),
        retrying: (1, 3, 3, 0),
        deferred: (1, 5, 1, 1),
        again: (2, 2, 2, 0),
    }
    assert found[queued].variables == {"name": "Ada"}
    await looked(reconciler, 2 * LOOKS)
    assert len(await enqueued(database)) == 4


async def test_what_moves_or_is_over_is_left_alone(reconciler, database):
    await add(database, since=ago(minutes=4))
    for status in ("sent", "skipped", "failed", "expired", "cancelled", "delivered"):
        await add(database, status=status)
    # A retry spends some seconds in its tier before it stands still anywhere.
    [in_its_tier] = await add(database, status="retrying", since=ago(minutes=5, seconds=5))
    async with database.driver() as connection:
        await connection.execute("UPDATE notifications SET rank = 2 WHERE id = $1", in_its_tier)
    await looked(reconciler)
    assert await enqueued(database) == {}


async def test_what_waits_in_the_outbox_is_left_there(reconciler, database):
    [waiting] = await add(database)
    due = ago(minutes=-30)
    await put_in_outbox(database, notification(id=waiting), due)
    await looked(reconciler)
    async with database.driver() as connection:
        assert await connection.fetchval("SELECT available_at FROM outbox") == due


async def test_while_its_lane_is_not_empty_nothing_is_lost(reconciler, database, broker):
    [lost] = await add(database)
    other = to_lane(notification())
    await broker.put(other.routing_key, other.body)
    await looked(reconciler, 2 * LOOKS)
    assert await enqueued(database) == {}
    await broker.take("email.queue")
    await looked(reconciler)
    assert set(await enqueued(database)) == {lost}


async def test_what_came_later_and_is_delivered_has_overtaken_it(reconciler, database, broker):
    [lost] = await add(database)
    [elsewhere] = await add(database, channel="push")
    for message in (notification(), notification(channel="push")):
        outgoing = to_lane(message)
        await broker.put(outgoing.routing_key, outgoing.body)
    await looked(reconciler, LOOKS)
    # Accepted before the first look, or for another lane: they say nothing.
    await add(database, status="sent", since=ago(seconds=20))
    await add(database, status="sent", priority="high", since=ago(minutes=-1))
    await looked(reconciler, LOOKS)
    assert await enqueued(database) == {}
    await add(database, status="sent", since=ago(minutes=-1))
    await looked(reconciler, LOOKS)
    assert set(await enqueued(database)) == {lost}
    assert elsewhere not in await enqueued(database)


@pytest.mark.parametrize("queue", ["status.queue", "failed.queue"])
async def test_outcomes_that_are_not_read_yet_may_tell_of_it(reconciler, database, broker, queue):
    [stalled] = await add(database)
    exchange = "notifications.status" if queue == "status.queue" else "notifications.direct"
    key = "outcome" if queue == "status.queue" else "failed"
    await broker.put(key, b"unread", exchange=exchange)
    await looked(reconciler, 2 * LOOKS)
    assert await enqueued(database) == {}
    await broker.take(queue)
    await looked(reconciler)
    assert set(await enqueued(database)) == {stalled}


async def test_what_made_progress_meanwhile_is_left_alone(reconciler, database):
    sent, on, queued = [(await add(database))[0] for _ in range(3)]
    await looked(reconciler, LOOKS - 1)
    await went_on(database, sent, "sent")
    await went_on(database, on, "retrying", provider="smtp")
    await put_in_outbox(database, notification(id=queued), ago(minutes=-30))
    await looked(reconciler, 1)
    assert set(await enqueued(database)) == {queued}


@pytest.fixture
async def licences(cache):
    """A worker that holds claims."""
    profile = Profile(user_id=1, version=1)
    await ProfileCache(cache).put_many([profile])
    licences = Licences(cache)
    await licences.open()
    yield licences
    await licences.close()


async def claim(licences, notification_id, device="", **message):
    claimed = notification(id=notification_id, **message)
    ruling = await licences.apply(claimed, device, version=1, on_unknown="hold")
    assert ruling.verdict == "granted"
    return claimed


async def test_what_a_worker_is_sending_is_left_alone(reconciler, database, licences):
    sending, settled = [(await add(database))[0] for _ in range(2)]
    await claim(licences, sending)
    message = await claim(licences, settled)
    await licences.settle([(message, "", Sent(provider="smtp"))])
    await looked(reconciler)
    # What was settled and not reported: the next worker reports it.
    assert set(await enqueued(database)) == {settled}
    await licences.close()
    await looked(reconciler)
    assert set(await enqueued(database)) == {settled, sending}


async def test_every_device_may_be_the_one_that_is_sent_to(reconciler, database, licences):
    sending, lost = [(await add(database, channel="push"))[0] for _ in range(2)]
    await claim(licences, sending, "tablet", channel="push")
    await looked(reconciler)
    assert set(await enqueued(database)) == {lost}


async def test_without_redis_nothing_is_done(make, database):
    reconciler = await make(claims=Claims(Cache("redis://127.0.0.1:9/0")))
    await add(database)
    await looked(reconciler, 2 * LOOKS)
    assert await enqueued(database) == {}


async def test_a_break_of_rabbitmq_forgets_what_was_known(make, database, broker, monkeypatch):
    reconciler = await make()
    await add(database)
    await looked(reconciler, 1)
    with monkeypatch.context() as away:
        away.setattr(reconciler, "_link", Link(broker.url, "never opened"))
        await looked(reconciler, 1)
    await looked(reconciler, LOOKS - 1)
    assert await enqueued(database) == {}
    await looked(reconciler, 1)
    assert len(await enqueued(database)) == 1


async def test_one_gateway_at_a_time(make, database):
    one, other = await make(), await make()
    await add(database)
    await looked(one, 1)
    await looked(other, 2 * LOOKS)
    assert await enqueued(database) == {}
    await one.close()
    await looked(other, LOOKS)
    assert len(await enqueued(database)) == 1


async def test_more_than_fits_in_one_look_is_found_by_the_next(make, database, monkeypatch):
    monkeypatch.setattr("api_gateway.reconciler.repository._LOOKED_AT", 3)
    monkeypatch.setattr("api_gateway.reconciler.reconciler._BATCH", 2)
    reconciler = await make(every=timedelta(seconds=1))
    lost = await add(database, count=7)
    await looked(reconciler, 4 * LOOKS)
    assert set(await enqueued(database)) == set(lost)
