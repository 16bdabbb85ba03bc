"""Dead letters: kept once, with their bytes, in one commit with the status `failed`."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from shared.messaging.addressed import to_dead_letters, to_status
from shared.schemas.wire import NotificationMessage
from tests.api_gateway.office import outcome
from tests.shared.broker import Broker, notification, until

NOISE = [
    b"nonsense",
    b"",
    b"\x00\xff" * 500_000,
    b"{}",
    b'{"version": 1, "id": "x"}',
    b"[" * 100_000,
    b'{"version": "one"}',
]


async def test_with_its_outcome_it_says_why(office):
    message = await office.accepted()
    letter = to_dead_letters(message, outcome(message))
    for _ in range(3):
        await office.publish(letter.body, headers=letter.headers)
    [row] = await office.kept("notification_id = $1", message.id)
    assert (row["reason"], row["attempts"], row["provider"]) == ("retries_exhausted", 4, "smtp")
    assert (row["channel"], row["template_id"], row["generation"]) == ("email", "bells", 1)
    assert row["last_error"] == "450 busy \ufffd"
    assert NotificationMessage.model_validate_json(row["body"]) == message
    shown = (await office.client.get(f"/notifications/{message.id}")).json()["data"]
    assert (shown["status"], shown["reason"]) == ("failed", "retries_exhausted")
    assert shown["meaning"]
    assert [entry["status"] for entry in shown["timeline"]] == ["queued", "processing", "failed"]


async def test_without_an_outcome_rabbitmq_gave_it_up(office):
    for headers in ({}, {"outcome": "nonsense"}):
        message = await office.accepted()
        await office.publish(message.model_dump_json().encode(), headers=headers)
        [row] = await office.kept("notification_id = $1", message.id)
        assert row["reason"] == "internal_error"
        shown = (await office.client.get(f"/notifications/{message.id}")).json()["data"]
        assert (shown["status"], shown["reason"]) == ("failed", "internal_error")
        assert "RabbitMQ" in shown["timeline"][-1]["detail"]


async def test_duplicates_are_kept_once(office):
    message = await office.accepted()
    letter = to_dead_letters(message, outcome(message))
    same = uuid4().hex
    for _ in range(5):
        await office.publish(letter.body, headers=letter.headers)
        await office.publish(b"the same noise", message_id=same)
    last = await office.accepted()
    letter = to_dead_letters(last, outcome(last))
    await office.publish(letter.body, headers=letter.headers)
    await office.kept("notification_id = $1", last.id)
    await office.kept("amqp_message_id = $1", same)
    count = "SELECT count(*) FROM dead_letters WHERE notification_id = $1 OR amqp_message_id = $2"
    assert await office.database.fetchval(count, message.id, same) == 2


async def test_what_nobody_can_read_is_kept_byte_for_byte(office):
    for noise in NOISE:
        ident = uuid4().hex
        await office.publish(noise, message_id=ident)
        [row] = await office.kept("amqp_message_id = $1", ident)
        assert row["body"] == noise
        assert row["reason"] == "unreadable_message"
        assert row["notification_id"] is None
    await until(lambda: is_empty(office.broker, "failed.queue"))


async def test_what_reads_well_and_cannot_be_stored_is_kept_as_bytes(office):
    bad = notification().model_dump(mode="json")
    message = await office.accepted()
    good = to_dead_letters(message, outcome(message))
    for change in ({"generation": 2**40}, {"template_id": "x\x00y"}, {"attempt": 2**31}):
        ident = uuid4().hex
        await office.publish(json.dumps(bad | change).encode(), message_id=ident)
        await office.publish(good.body, headers=good.headers)
        [row] = await office.kept("amqp_message_id = $1", ident)
        assert row["reason"] == "unreadable_message"
    [row] = await office.kept("notification_id = $1", message.id)
    assert row["reason"] == "retries_exhausted"


async def test_a_newer_version_waits_for_a_newer_gateway(start, rabbitmq_url, postgres_url):
    gateway = await start()
    broker = Broker(rabbitmq_url)
    await broker.open()
    database = await asyncpg.connect(postgres_url)
    newer = json.dumps({"version": 2, "what": "ever"}).encode()

    async def noise_is_kept():
        return await database.fetchval("SELECT count(*) FROM dead_letters") == 2

    for body in (newer, b"noise"):
        await broker.put("failed", body)
        await broker.put("outcome", body, exchange="notifications.status")
    await until(noise_is_kept)
    await asyncio.to_thread(gateway.stop)
    assert await database.fetchval("SELECT DISTINCT body FROM dead_letters") == b"noise"
    await database.close()
    for queue in ("failed.queue", "status.queue"):
        assert (await broker.take(queue)).body == newer
    await broker.close()


async def is_empty(broker, queue):
    return await broker.count(queue) == 0


async def status_of(client, message):
    return (await client.get(f"/notifications/{message.id}")).json()["data"]["status"]


async def test_outcomes_make_the_timeline(office):
    message = await office.accepted()
    said = [
        outcome(message, status="retrying", reason=None, attempt=1, hop=1, at=moment(1)),
        outcome(message, status="retrying", reason=None, attempt=2, hop=2, at=moment(2)),
        outcome(
            message, status="sent", reason=None, attempt=3, hop=3, detail=None,
            provider_message_id="<m@x>", at=moment(3),
        ),
    ]  # fmt: skip
    for report in reversed(said):
        await office.report(report, report)

    async def complete():
        shown = (await office.client.get(f"/notifications/{message.id}")).json()["data"]
        return len(shown["timeline"]) == 7

    await until(complete)
    shown = (await office.client.get(f"/notifications/{message.id}")).json()["data"]
    assert (shown["status"], shown["attempts"], shown["provider"]) == ("sent", 3, "smtp")
    assert shown["provider_message_id"] == "<m@x>"
    assert datetime.fromisoformat(shown["sent_at"]) == said[2].at
    told = [entry["status"] for entry in shown["timeline"]]
    assert told == ["queued", *["processing", "retrying"] * 2, "processing", "sent"]
    listed = (await office.client.get(f"/users/{message.user_id}/notifications")).json()["data"]
    assert [one["status"] for one in listed] == ["sent"]


def moment(second):
    return datetime(2099, 1, 1, 0, 0, second, tzinfo=UTC)


async def test_a_deferral_goes_on_through_the_outbox(office):
    message = await office.accepted()
    report = outcome(
        message, status="deferred", reason=None, onward=message.next_hop(waits=1), due=moment(1)
    )

    async def deferred():
        return await status_of(office.client, message) == "deferred"

    await office.report(report)
    await until(deferred)
    # The accepted row leaves when its publishing is confirmed: maybe only after this.
    query = "SELECT * FROM outbox WHERE notification_id = $1 AND hop > 1"
    [row] = await office.database.fetch(query, message.id)
    assert (row["generation"], row["hop"], row["priority"]) == (1, 2, 2)
    assert row["available_at"] == moment(1)
    assert NotificationMessage.model_validate_json(row["body"]).waits == 1

    await office.database.execute("UPDATE outbox SET available_at = now() WHERE id = $1", row["id"])
    assert (await office.in_lane(str(message.id))).hop == 2

    async def gone():
        return await office.database.fetch(query, message.id) == []

    await until(gone)

    # The same report once more brings nothing back.
    await office.report(report)
    other = await office.accepted()
    await office.report(outcome(other, status="sent", reason=None))

    async def sent():
        return await status_of(office.client, other) == "sent"

    await until(sent)
    assert await office.database.fetch(query, message.id) == []


async def test_an_unreadable_outcome_goes_to_the_dead_letters(office):
    message = await office.accepted()
    noise = f"noise {uuid4()}".encode()
    unstorable = to_status([outcome(message, hop=2**40)]).body
    await office.broker.put("outcome", noise, exchange="notifications.status")
    await office.broker.put("outcome", unstorable, exchange="notifications.status")
    await office.report(outcome(message, status="sent", reason=None))
    for body in (noise, unstorable):
        [row] = await office.kept("body = $1", body)
        assert row["reason"] == "unreadable_message"

    async def sent():
        return await status_of(office.client, message) == "sent"

    await until(sent)
    await until(lambda: is_empty(office.broker, "status.queue"))
