"""RabbitMQ lost its disk: all that is not finished is enqueued once more, and nothing else."""

import asyncio

from api_gateway.memory import Memory
from shared.cache import Cache
from tests.api_gateway.reconciler.stalled import add, ago, enqueued, put_in_outbox, went_on
from tests.api_gateway.recovery.conftest import finish
from tests.shared.broker import notification


async def test_all_that_is_not_finished_is_enqueued_with_its_own_hop(recover, database):
    queued, retrying, deferred = [(await add(database))[0] for _ in range(3)]
    await went_on(database, retrying, "retrying", hop=2, attempt=2, provider="smtp")
    await went_on(database, deferred, "deferred", hop=4)
    for status in ("sent", "skipped", "failed", "expired", "cancelled", "delivered"):
        await add(database, status=status)
    [waiting] = await add(database)
    due = ago(minutes=-30)
    await put_in_outbox(database, notification(id=waiting), due)
    recovery = await recover()
    assert (recovery.total, recovery.looked_at, recovery.enqueued, recovery.held) == (4, 4, 3, 0)
    found = await enqueued(database)
    assert {i: (m.generation, m.hop, m.attempt) for i, m in found.items() if i != waiting} == {
        queued: (1, 1, 1),
        retrying: (1, 3, 3),
        deferred: (1, 5, 1),
    }
    assert waiting in found


async def test_a_second_one_finds_everything_in_the_outbox(recover, database):
    await add(database, count=5)
    assert (await recover()).enqueued == 5
    again = await recover()
    assert (again.looked_at, again.enqueued) == (5, 0)
    assert len(await enqueued(database)) == 5


async def test_what_makes_progress_by_itself_is_left_alone(recoveries, runner, database):
    moving, standing = await add(database, count=2)
    recovery = await recoveries.add(None, 1000)
    await went_on_now(database, moving)
    await finish(recoveries, runner, recovery.id)
    assert set(await enqueued(database)) == {standing}


async def went_on_now(database, ident):
    async with database.driver() as connection:
        await connection.execute("UPDATE notifications SET updated_at = now() WHERE id = $1", ident)


async def test_whoever_takes_over_goes_on_where_it_stopped(recoveries, make_runner, database):
    lost = await add(database, count=25)
    recovery = await recoveries.add(None, 10)
    one, other = await make_runner(), await make_runner()
    for _ in range(2):
        await one.step()
    so_far = await recoveries.get(recovery.id)
    assert (so_far.state, so_far.looked_at, so_far.enqueued) == ("running", 10, 10)
    assert 0 < (await recoveries.unfinished()).due_in <= 1, "ten a second, no more"
    async with database.driver() as connection:
        await connection.execute("UPDATE recoveries SET rate_per_second = 100000, due_at = now()")
    # Two at once do each batch once.
    async with asyncio.timeout(30):
        while (await recoveries.get(recovery.id)).state != "finished":
            await asyncio.gather(one.step(), other.step())
    done = await recoveries.get(recovery.id)
    assert (done.looked_at, done.enqueued) == (25, 25)
    assert set(await enqueued(database)) == set(lost)


async def test_one_that_cannot_be_made_any_more_harms_no_neighbour(recover, database):
    bad, good = await add(database, count=2)
    async with database.driver() as connection:
        await connection.execute(
            "UPDATE notifications SET template_id = 'no such name' WHERE id = $1", bad
        )
    recovery = await recover()
    assert (recovery.looked_at, recovery.enqueued) == (2, 1)
    assert set(await enqueued(database)) == {good}


async def test_without_redis_it_waits(recoveries, make_runner, database, broker):
    nowhere = Cache("redis://127.0.0.1:9/0")
    link = await broker.link("looking")
    blind = await make_runner(of=nowhere, memory=Memory(database, link, nowhere))
    await add(database)
    recovery = await recoveries.add(None, 1000)
    await blind.step()
    shown = await recoveries.get(recovery.id)
    assert (shown.state, shown.waiting_for) == ("waiting", "Redis")
    done = await finish(recoveries, await make_runner(), recovery.id)
    assert (done.waiting_for, done.enqueued) == (None, 1)


async def test_only_one_at_a_time(recoveries, runner, database):
    first = await recoveries.add(None, 1000)
    assert await recoveries.add(None, 1000) is None
    await finish(recoveries, runner, first.id)
    assert await recoveries.add(None, 1000) is not None
