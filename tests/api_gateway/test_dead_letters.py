"""Dead letters: kept once, with their bytes, in one commit with the status `failed`."""

import asyncio
import json
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import aio_pika
import asyncpg
import pytest

from shared.messaging.addressed import to_dead_letters, to_status
from shared.schemas.wire import NotificationMessage, OutcomeReport
from tests.api_gateway.gateway import request
from tests.shared.broker import notification, until

users = count(20_000)

NOISE = [
    b"nonsense",
    b"",
    b"\x00\xff" * 500_000,
    b"{}",
    b'{"version": 1, "id": "x"}',
    b"[" * 100_000,
    b'{"version": "one"}',
]


@pytest.fixture
async def publish(broker, environment):
    """Publishes as a worker would, with confirms."""
    connection = await aio_pika.connect(environment["RABBITMQ_URL"])
    channel = await connection.channel()

    async def publish(body, key="failed", exchange="notifications.direct", **properties):
        target = await channel.get_exchange(exchange, ensure=False)
        properties.setdefault("message_id", uuid4().hex)
        await target.publish(aio_pika.Message(body, **properties), key)

    yield publish
    await connection.close()


@pytest.fixture
def kept(database):
    """Waits for the dead letters of a condition and returns them."""

    async def kept(where, *values):
        query = f"SELECT * FROM dead_letters WHERE {where}"  # noqa: S608

        async def there():
            return await database.fetch(query, *values) != []

        await until(there)
        return await database.fetch(query, *values)

    return kept


async def accepted(client, broker):
    """A message that waits in its lane."""
    body = request(user_id=next(users))
    request_id = (await client.post("/notifications/send", json=body)).json()["data"]["request_id"]
    while (found := await broker.take("email.queue")).headers["notification-id"] != request_id:
        """Another test's."""
    return NotificationMessage.model_validate_json(found.body)


def outcome(message, **changes):
    usual = {
        "event_id": uuid4(),
        "notification_id": message.id,
        "generation": message.generation,
        "hop": message.hop,
        "attempt": 4,
        "status": "failed",
        "reason": "retries_exhausted",
        "provider": "smtp",
        "detail": "450 busy \x00",
        "started_at": datetime.now(UTC),
        "at": datetime.now(UTC),
    }
    return OutcomeReport.model_validate({**usual, **changes})


async def test_with_its_outcome_it_says_why(client, broker, publish, kept):
    message = await accepted(client, broker)
    letter = to_dead_letters(message, outcome(message))
    for _ in range(3):
        await publish(letter.body, headers=letter.headers)
    [row] = await kept("notification_id = $1", message.id)
    assert (row["reason"], row["attempts"], row["provider"]) == ("retries_exhausted", 4, "smtp")
    assert (row["channel"], row["template_id"], row["generation"]) == ("email", "bells", 1)
    assert row["last_error"] == "450 busy \ufffd"
    assert NotificationMessage.model_validate_json(row["body"]) == message
    shown = (await client.get(f"/notifications/{message.id}")).json()["data"]
    assert (shown["status"], shown["reason"]) == ("failed", "retries_exhausted")
    assert shown["meaning"]
    assert [entry["status"] for entry in shown["timeline"]] == ["queued", "processing", "failed"]


async def test_without_an_outcome_rabbitmq_gave_it_up(client, broker, publish, kept):
    for headers in ({}, {"outcome": "nonsense"}):
        message = await accepted(client, broker)
        await publish(message.model_dump_json().encode(), headers=headers)
        [row] = await kept("notification_id = $1", message.id)
        assert row["reason"] == "internal_error"
        shown = (await client.get(f"/notifications/{message.id}")).json()["data"]
        assert (shown["status"], shown["reason"]) == ("failed", "internal_error")
        assert "RabbitMQ" in shown["timeline"][-1]["detail"]


async def test_duplicates_are_kept_once(client, broker, publish, kept, database):
    message = await accepted(client, broker)
    letter = to_dead_letters(message, outcome(message))
    same = uuid4().hex
    for _ in range(5):
        await publish(letter.body, headers=letter.headers)
        await publish(b"the same noise", message_id=same)
    last = await accepted(client, broker)
    letter = to_dead_letters(last, outcome(last))
    await publish(letter.body, headers=letter.headers)
    await kept("notification_id = $1", last.id)
    await kept("amqp_message_id = $1", same)
    count = "SELECT count(*) FROM dead_letters WHERE notification_id = $1 OR amqp_message_id = $2"
    assert await database.fetchval(count, message.id, same) == 2


async def test_what_nobody_can_read_is_kept_byte_for_byte(publish, kept, broker):
    for noise in NOISE:
        ident = uuid4().hex
        await publish(noise, message_id=ident)
        [row] = await kept("amqp_message_id = $1", ident)
        assert row["body"] == noise
        assert row["reason"] == "unreadable_message"
        assert row["notification_id"] is None
    await until(lambda: is_empty(broker, "failed.queue"))


async def test_what_reads_well_and_cannot_be_stored_is_kept_as_bytes(publish, kept, client, broker):
    bad = notification().model_dump(mode="json")
    message = await accepted(client, broker)
    good = to_dead_letters(message, outcome(message))
    for change in ({"generation": 2**40}, {"template_id": "x\x00y"}, {"attempt": 2**31}):
        ident = uuid4().hex
        await publish(json.dumps(bad | change).encode(), message_id=ident)
        await publish(good.body, headers=good.headers)
        [row] = await kept("amqp_message_id = $1", ident)
        assert row["reason"] == "unreadable_message"
    [row] = await kept("notification_id = $1", message.id)
    assert row["reason"] == "retries_exhausted"


async def test_a_newer_version_waits_for_a_newer_gateway(start, rabbitmq_url, postgres_url):
    gateway = await start()
    connection = await aio_pika.connect(rabbitmq_url)
    channel = await connection.channel()
    database = await asyncpg.connect(postgres_url)
    newer = json.dumps({"version": 2, "what": "ever"}).encode()

    async def other_is_kept():
        return await database.fetchval("SELECT count(*) FROM dead_letters") == 1

    exchange = await channel.get_exchange("notifications.direct", ensure=False)
    for body in (newer, b"noise"):
        await exchange.publish(aio_pika.Message(body), "failed")
    await until(other_is_kept)
    await asyncio.to_thread(gateway.stop)
    assert await database.fetchval("SELECT body FROM dead_letters") == b"noise"
    await database.close()
    queue = await channel.get_queue("failed.queue", ensure=False)
    assert (await queue.get(no_ack=True)).body == newer
    await connection.close()


async def is_empty(broker, queue):
    return await broker.count(queue) == 0


async def status_of(client, message):
    return (await client.get(f"/notifications/{message.id}")).json()["data"]["status"]


async def test_outcomes_make_the_timeline(client, broker, publish):
    message = await accepted(client, broker)
    said = [
        outcome(message, status="retrying", reason=None, attempt=1, hop=1, at=moment(1)),
        outcome(message, status="retrying", reason=None, attempt=2, hop=2, at=moment(2)),
        outcome(
            message, status="sent", reason=None, attempt=3, hop=3, detail=None,
            provider_message_id="<m@x>", at=moment(3),
        ),
    ]  # fmt: skip
    for report in reversed(said):
        out = to_status([report, report])
        await publish(out.body, out.routing_key, out.exchange)

    async def complete():
        shown = (await client.get(f"/notifications/{message.id}")).json()["data"]
        return len(shown["timeline"]) == 7

    await until(complete)
    shown = (await client.get(f"/notifications/{message.id}")).json()["data"]
    assert (shown["status"], shown["attempts"], shown["provider"]) == ("sent", 3, "smtp")
    assert shown["provider_message_id"] == "<m@x>"
    assert datetime.fromisoformat(shown["sent_at"]) == said[2].at
    told = [entry["status"] for entry in shown["timeline"]]
    assert told == ["queued", *["processing", "retrying"] * 2, "processing", "sent"]
    listed = (await client.get(f"/users/{message.user_id}/notifications")).json()["data"]
    assert [one["status"] for one in listed] == ["sent"]


def moment(second):
    return datetime(2099, 1, 1, 0, 0, second, tzinfo=UTC)


async def test_a_deferral_goes_on_through_the_outbox(client, broker, publish, database):
    message = await accepted(client, broker)
    report = outcome(
        message, status="deferred", reason=None, onward=message.next_hop(waits=1), due=moment(1)
    )
    out = to_status([report])

    async def deferred():
        return await status_of(client, message) == "deferred"

    await publish(out.body, out.routing_key, out.exchange)
    await until(deferred)
    query = "SELECT * FROM outbox WHERE notification_id = $1"
    [row] = await database.fetch(query, message.id)
    assert (row["generation"], row["hop"], row["priority"]) == (1, 2, 2)
    assert row["available_at"] == moment(1)
    assert NotificationMessage.model_validate_json(row["body"]).waits == 1

    await database.execute("UPDATE outbox SET available_at = now() WHERE id = $1", row["id"])
    while (found := await broker.take("email.queue")).headers["notification-id"] != str(message.id):
        """Another test's."""
    assert found.headers["hop"] == 2

    # The same report once more brings nothing back.
    await publish(out.body, out.routing_key, out.exchange)
    other = await accepted(client, broker)
    out = to_status([outcome(other, status="sent", reason=None)])
    await publish(out.body, out.routing_key, out.exchange)

    async def sent():
        return await status_of(client, other) == "sent"

    await until(sent)
    assert await database.fetch(query, message.id) == []


async def test_an_unreadable_outcome_goes_to_the_dead_letters(client, publish, kept, broker):
    message = await accepted(client, broker)
    noise = f"noise {uuid4()}".encode()
    unstorable = to_status([outcome(message, hop=2**40)]).body
    await publish(noise, "outcome", "notifications.status")
    await publish(unstorable, "outcome", "notifications.status")
    good = to_status([outcome(message, status="sent", reason=None)])
    await publish(good.body, good.routing_key, good.exchange)
    for body in (noise, unstorable):
        [row] = await kept("body = $1", body)
        assert row["reason"] == "unreadable_message"

    async def sent():
        return await status_of(client, message) == "sent"

    await until(sent)
    await until(lambda: is_empty(broker, "status.queue"))
