"""The relay: most urgent first, each row by one relay, deleted only when confirmed."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import MetaData

from shared.database import Database
from shared.errors import NotTaken
from shared.messaging import Publisher
from shared.outbox import Relay, Written, outbox_table, statements
from shared.schemas.vocabulary import Priority
from tests.shared.broker import Broker, notification, until

ADD = """
INSERT INTO outbox (notification_id, generation, hop, priority, available_at, leased_until, body)
VALUES ($1, $2, $3, $4, now() + $5, now() + $6, $7)
"""


@pytest.fixture
async def database(postgres_url):
    metadata = MetaData()
    outbox_table(metadata)
    database = Database(postgres_url)
    async with database.transaction() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
async def broker(rabbitmq_url):
    broker = Broker(rabbitmq_url)
    await broker.open()
    yield broker
    await broker.close()


@pytest.fixture
async def relays(database, broker):
    """Two relays on two links, not yet running."""
    relays = [Relay(database, Publisher(await broker.link(f"relay-{n}"))) for n in range(2)]
    yield relays
    for relay in relays:
        await relay.close()


async def add(database, message, *, due=timedelta(0), leased=None):
    async with database.driver() as connection:
        rank, body = message.priority.rank, message.model_dump_json().encode()
        await connection.execute(
            ADD, message.id, message.generation, message.hop, rank, due, leased, body
        )
    return str(message.id)


async def left(database):
    async with database.driver() as connection:
        return await connection.fetchval("SELECT count(*) FROM outbox")


async def drained(database):
    return await left(database) == 0


async def test_what_is_due_is_published_and_deleted(database, broker, relays):
    await relays[0].open()
    ident = await add(database, notification(priority="high", hop=3, generation=2))
    message = await broker.take("email.priority.queue")
    assert message.headers["notification-id"] == ident
    assert (message.headers["hop"], message.headers["generation"]) == (3, 2)
    await until(lambda: drained(database))


async def test_what_is_not_due_or_in_other_hands_stays(database, broker, relays):
    later = await add(database, notification(), due=timedelta(hours=1))
    theirs = await add(database, notification(), leased=timedelta(hours=1))
    mine = await add(database, notification(), leased=timedelta(seconds=-1))
    await relays[0].open()
    assert (await broker.take("email.queue")).headers["notification-id"] == mine
    await until(lambda: two_left(database))
    async with database.driver() as connection:
        rows = await connection.fetch("SELECT notification_id FROM outbox")
    assert {str(row[0]) for row in rows} == {later, theirs}
    assert await broker.count("email.queue") == 0


async def two_left(database):
    return await left(database) == 2


async def test_the_most_urgent_go_first(database):
    for priority in ("low", "critical", "normal", "high", "low", "critical"):
        await add(database, notification(priority=priority))
    async with database.driver() as connection:
        leased = [
            await connection.fetch(statements.LEASE, 2, timedelta(minutes=1)) for _ in range(4)
        ]
        ranks = "SELECT array_agg(priority) FROM outbox WHERE notification_id = ANY($1)"
        found = [
            await connection.fetchval(ranks, [row["notification_id"] for row in rows])
            for rows in leased[:3]
        ]
    critical, high, normal, low = (
        Priority(name).rank for name in ("critical", "high", "normal", "low")
    )
    assert [sorted(batch) for batch in found] == [
        [critical, critical],
        [high, normal],
        [low, low],
    ]
    assert leased[3] == []


async def test_within_a_priority_the_oldest_go_first(database):
    ages = [5, 60, 1, 30]
    idents = [await add(database, notification(), due=-timedelta(seconds=age)) for age in ages]
    async with database.driver() as connection:
        rows = await connection.fetch(statements.LEASE, 2, timedelta(minutes=1))
    assert {str(row["notification_id"]) for row in rows} == {idents[1], idents[3]}


async def test_two_relays_publish_each_row_once(database, broker, relays):
    idents = {await add(database, notification()) for _ in range(1200)}
    await asyncio.gather(*(relay.open() for relay in relays))
    await until(lambda: drained(database))
    assert await broker.count("email.queue") == len(idents) == 1200


async def test_without_rabbitmq_rows_stay_and_go_out_later(database, broker, relays):
    await relays[0].open()
    await broker.force_close("relay-0")
    ident = await add(database, notification())
    assert (await broker.take("email.queue")).headers["notification-id"] == ident
    await until(lambda: drained(database))


async def test_what_rabbitmq_does_not_take_stays(database, broker, relays):
    await broker._channel.queue_delete("email.queue")
    message = notification()
    await add(database, message, leased=timedelta(seconds=30))
    [failure] = await relays[0].publish(
        [Written.of(message), Written.of(notification(priority="high"))]
    )
    assert isinstance(failure, NotTaken)
    assert await left(database) == 1


async def test_many_that_a_full_queue_does_not_take_hold_up_no_others(database, broker, relays):
    await broker.make_full("email", room=1)
    for _ in range(1200):
        await add(database, notification(), due=-timedelta(hours=1))
    ident = await add(database, notification(channel="sms"))
    await relays[0].open()
    assert (await broker.take("sms.queue")).headers["notification-id"] == ident


async def test_a_row_that_nobody_can_read_holds_up_nobody(database, broker, relays):
    bad = notification(priority="critical")
    async with database.driver() as connection:
        for body in (b"nonsense", b'{"version": 99}'):
            await connection.execute(ADD, uuid4(), 1, 1, 0, timedelta(0), None, body)
    await relays[0].open()
    ident = await add(database, bad)
    assert (await broker.take("email.priority.queue")).headers["notification-id"] == ident
    await until(lambda: two_left(database))


async def test_a_hop_has_one_row(database):
    message = notification()
    row = (message.id, 1, 2, 1, message.created_at, b"{}")
    async with database.driver() as connection:
        for _ in range(2):
            await connection.execute(statements.INSERT, *([value] for value in row))
    assert await left(database) == 1


async def test_the_state_tells_what_waits_and_for_how_long(database):
    await add(database, notification(), due=-timedelta(minutes=5), leased=timedelta(seconds=30))
    await add(database, notification(), due=timedelta(hours=1))
    async with database.driver() as connection:
        state = await connection.fetchrow(statements.STATE)
    assert (state["due"], state["scheduled"]) == (1, 1)
    assert 300 <= state["oldest"] < 330


async def test_a_long_backlog_and_many_scheduled_rows_are_not_walked_through(database):
    fill = """
    INSERT INTO outbox (notification_id, generation, hop, priority, available_at, body)
    SELECT gen_random_uuid(), 1, 1, n % 4, now() + (n % 2 * 2 - 1) * interval '1 hour', ''
    FROM generate_series(1, 20000) n
    """
    async with database.driver() as connection:
        await connection.execute(fill)
        await connection.execute("ANALYZE outbox")
        plan = await connection.fetch(
            f"EXPLAIN (ANALYZE, FORMAT TEXT) {statements.LEASE}", 50, timedelta(minutes=1)
        )
    text = "\n".join(row[0] for row in plan)
    assert "ix_outbox_due" in text
    assert "Sort" not in text
    assert "Seq Scan on outbox" not in text


async def test_a_relay_that_leaves_finishes_what_it_has_leased(database, relays, monkeypatch):
    relay, begun, may_go_on = relays[0], asyncio.Event(), asyncio.Event()
    publish = relay.publish

    async def held(messages):
        begun.set()
        await may_go_on.wait()
        return await publish(messages)

    monkeypatch.setattr(relay, "publish", held)
    await add(database, notification())
    await relay.open()
    await begun.wait()
    draining = asyncio.create_task(relay.drain())
    late = await add(database, notification())
    may_go_on.set()
    await draining
    async with database.driver() as connection:
        rows = await connection.fetch("SELECT notification_id FROM outbox")
    assert [str(row["notification_id"]) for row in rows] == [late]
