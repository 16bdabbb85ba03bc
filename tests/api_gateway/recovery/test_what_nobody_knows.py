"""What may have gone out unknown to all is held; a restored database sends nothing again."""

import pytest

from api_gateway.recovery import runner as running
from api_gateway.recovery.restoration import Restoration
from shared.cache import ProfileCache
from shared.delivery.licence import Licences
from shared.delivery.outcome import Retry, Sent
from shared.messaging import Publisher
from shared.messaging.addressed import read_notification, to_lane
from shared.outbox import Relay
from shared.schemas.profile import Profile
from tests.api_gateway.ledgers import row_of
from tests.api_gateway.reconciler.stalled import (
    add,
    ago,
    enqueued,
    put_in_outbox,
    remember_claims,
)
from tests.api_gateway.recovery.conftest import finish
from tests.shared.broker import notification

BACKUP = ago(minutes=30)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(running, "_EMPTY_SECONDS", 0.0)


@pytest.fixture
async def settle(cache):
    """A worker has settled a notification; its report was lost."""
    await ProfileCache(cache).put_many([Profile(user_id=1, version=1)])
    licences = Licences(cache)
    await licences.open()

    async def settled(ident, outcome):
        message = notification(id=ident)
        await licences.apply(message, "", version=1, on_unknown="hold")
        await licences.settle([(message, "", outcome)])

    yield settled
    await licences.close()


async def letters(database):
    async with database.driver() as connection:
        rows = await connection.fetch("SELECT * FROM dead_letters")
    return {row["notification_id"]: row for row in rows}


async def outcomes_are_written(database, until):
    async with database.driver() as connection:
        await connection.execute("UPDATE reconciliation SET outcomes_until = $1", until)


async def test_where_redis_forgot_too_it_is_held(recover, database, cache, settle):
    await outcomes_are_written(database, ago(minutes=20))
    await remember_claims(cache, since=ago(minutes=5))
    forgotten, told, went_on = await add(database, count=3)
    await settle(told, Sent(provider="smtp"))
    await settle(went_on, Retry(after=2.0))
    [since] = await add(database, since=ago(minutes=4))
    recovery = await recover()
    assert (recovery.enqueued, recovery.held) == (2, 2)
    assert set(await enqueued(database)) == {told, since}
    kept = await letters(database)
    assert set(kept) == {forgotten, went_on}
    letter = kept[forgotten]
    assert (letter["reason"], letter["state"]) == ("outcome_unknown", "open")
    assert "may have gone out" in letter["last_error"]
    assert read_notification(letter["body"]).id == forgotten
    row = await row_of(database, forgotten)
    assert (row["status"], row["reason"]) == ("failed", "outcome_unknown")


async def test_where_outcomes_are_known_nothing_is_held(recover, database, cache):
    await outcomes_are_written(database, ago(minutes=3))
    await remember_claims(cache, since=ago(minutes=5))
    await add(database, count=2)
    assert (await recover()).held == 0


async def test_a_day_is_as_long_as_redis_remembers(recover, database, cache):
    await outcomes_are_written(database, ago(hours=30))
    await remember_claims(cache, since=ago(hours=40))
    [old] = await add(database, since=ago(hours=29))
    [young] = await add(database, since=ago(hours=22))
    recovery = await recover()
    assert recovery.claims_since > ago(hours=24)
    assert set(await letters(database)) == {old}
    assert set(await enqueued(database)) == {young}


async def test_a_restored_database_whose_claims_are_all_there(recover, database, remembering):
    in_outbox, in_flight = await add(database, count=2, since=ago(minutes=40))
    await put_in_outbox(database, notification(id=in_outbox), ago(minutes=40))
    recovery = await recover(BACKUP)
    assert (recovery.enqueued, recovery.held) == (2, 0)
    assert set(await enqueued(database)) == {in_outbox, in_flight}
    async with database.driver() as connection:
        aside = "SELECT count(*) FROM outbox WHERE leased_until > now()"
        assert await connection.fetchval(aside) == 0


async def test_a_restored_database_whose_claims_are_gone(recover, database, cache):
    await remember_claims(cache, since=ago(minutes=10))
    in_outbox, in_flight, not_due = await add(database, count=3, since=ago(minutes=40))
    await put_in_outbox(database, notification(id=in_outbox), ago(minutes=40))
    await put_in_outbox(database, notification(id=not_due), ago(minutes=-30))
    recovery = await recover(BACKUP)
    assert (recovery.enqueued, recovery.held) == (0, 2)
    assert set(await letters(database)) == {in_outbox, in_flight}
    assert set(await enqueued(database)) == {not_due}
    assert "after the backup of" in (await letters(database))[in_outbox]["last_error"]


async def test_nothing_of_its_outbox_goes_out_before_it_is_looked_at(
    recoveries, runner, database, broker, remembering
):
    [old] = await add(database, since=ago(minutes=40))
    await put_in_outbox(database, notification(id=old), ago(minutes=40))
    recovery = await recoveries.add(BACKUP, 1000)
    relay = Relay(database, Publisher(await broker.link("relaying")))
    await relay.open()
    new = notification()
    await put_in_outbox(database, new, ago(seconds=0))
    assert (await broker.take("email.queue")).headers["notification-id"] == str(new.id)
    assert set(await enqueued(database)) >= {old}
    await finish(recoveries, runner, recovery.id)
    assert (await broker.take("email.queue")).headers["notification-id"] == str(old)
    await relay.close()


async def test_what_rabbitmq_still_has_goes_out_first(recoveries, runner, database, broker):
    await add(database, since=ago(minutes=40))
    left = to_lane(notification())
    await broker.put(left.routing_key, left.body)
    recovery = await recoveries.add(BACKUP, 1000)
    for _ in range(5):
        await runner.step()
    shown = await recoveries.get(recovery.id)
    assert (shown.state, shown.waiting_for) == ("waiting", "what is left in RabbitMQ to go out")
    await broker.take("email.queue")
    assert (await finish(recoveries, runner, recovery.id)).state == "finished"


async def test_one_backup_is_recovered_once(recoveries, runner, database):
    first = await recoveries.add(BACKUP, 1000)
    await finish(recoveries, runner, first.id)
    await put_in_outbox(database, notification(), ago(seconds=1))
    assert (await recoveries.add(BACKUP, 1000)).state == "finished"
    async with database.driver() as connection:
        assert await connection.fetchval("SELECT leased_until FROM outbox") is None


async def test_a_database_that_was_set_back_is_noticed(recoveries, runner, memory, database):
    restoration = Restoration(recoveries, memory, None)
    assert not await restoration.notice()
    await memory.outcomes_are_written(ago(seconds=0))
    assert not await restoration.notice()
    await outcomes_are_written(database, BACKUP)
    assert await restoration.notice()
    recovery = await recoveries.unfinished()
    assert recovery.restored_from == BACKUP
    await finish(recoveries, runner, recovery.id)
    assert not await restoration.notice()


async def test_the_operator_says_it_before_anything_goes_out(recoveries, memory, database):
    await put_in_outbox(database, notification(), ago(minutes=40))
    for _ in range(2):
        await Restoration(recoveries, memory, BACKUP).open()
    assert (await recoveries.unfinished()).restored_from == BACKUP
    async with database.driver() as connection:
        aside = "SELECT count(*) FROM outbox WHERE leased_until = 'infinity'"
        assert await connection.fetchval(aside) == 1
