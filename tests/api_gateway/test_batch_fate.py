"""A batch as one: how it fares, what failed is retried, the rest is cancelled."""

import asyncio
from itertools import count
from uuid import UUID, uuid4

import redis.asyncio

from shared.messaging.topology import queue_of
from shared.schemas.vocabulary import Reason
from tests.api_gateway.test_batches import accepted, ask, content, notification, taken
from tests.shared.broker import until

users = count(900_000)

BULK = queue_of("email.bulk")


async def shown(client, batch):
    answer = await client.get(f"/batches/{batch['batch_id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def cancelled(client, batch):
    answer = await client.post(f"/batches/{batch['batch_id']}/cancel")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_lists_by_batch_and_lists_of_batches(client):
    batches = [
        await accepted(client, {"notifications": [notification() for _ in range(2)]})
        for _ in range(3)
    ]
    wanted = {"batch_id": batches[1]["batch_id"]}
    listed = (await client.get("/notifications", params=wanted)).json()["data"]
    ids = [one["request_id"] for one in batches[1]["results"]]
    assert [one["request_id"] for one in listed] == ids[::-1]
    first = (await client.get("/batches", params={"limit": 2})).json()
    cursor = first["meta"]["next_cursor"]
    second = (await client.get("/batches", params={"limit": 2, "cursor": cursor})).json()
    found = [one["batch_id"] for page in (first, second) for one in page["data"]]
    assert found[:3] == [batch["batch_id"] for batch in reversed(batches)]
    assert first["data"][0]["accepted"] == 2


async def test_what_nobody_made_is_not_found(client):
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry-failed")):
        answer = await client.request(method, f"/batches/{uuid4()}{path}")
        assert answer.status_code == 404, path


async def test_what_failed_of_a_batch_is_sent_again_and_nothing_else(client, broker, office):
    batch = await accepted(client, {"notifications": [notification() for _ in range(3)]})
    ids = [one["request_id"] for one in batch["results"]]
    messages = [await taken(broker, BULK, request_id) for request_id in ids]
    stranger = await office.accepted()
    for message in (*messages[:2], stranger):
        await office.fail(message)
    before = await shown(client, batch)
    assert before["statuses"] == {"failed": 2, "queued": 1}
    assert sum(reason["count"] for reason in before["reasons"]) == 2
    assert before["state"] == "running"
    answer = await client.post(
        f"/batches/{batch['batch_id']}/retry-failed", json={"rate_per_second": 1000}
    )
    assert answer.status_code == 202, answer.text
    job = answer.json()["data"]
    assert (job["total"], job["filter"]["batch_id"]) == (2, batch["batch_id"])

    async def done():
        return (await office.get(f"/dead-letters/jobs/{job['id']}"))["state"] == "finished"

    await until(done)
    for request_id in ids[:2]:
        message = await office.in_lane(request_id, BULK, generation=2)
        assert str(message.batch_id) == batch["batch_id"]
    assert (await shown(client, batch))["statuses"] == {"queued": 3}
    still = await office.get("/dead-letters", user_id=stranger.user_id)
    assert len(still) == 1
    assert await office.get("/dead-letters", batch_id=batch["batch_id"]) == []


async def test_a_cancel_takes_all_out_of_the_outbox(start):
    gateway = await start(RABBITMQ_URL="amqp://guest:guest@127.0.0.1:9/")
    async with gateway.client() as client:
        batch = await accepted(client, content(recipients=list(range(1, 1201))))

        async def is_over():
            return (await cancelled(client, batch))["state"] == "cancelled"

        # What is in the hand of the gateway comes back from it when RabbitMQ takes nothing.
        await until(is_over)
        told = await shown(client, batch)
        assert told["statuses"] == {"cancelled": 1200}
        assert [(r["reason"], r["count"]) for r in told["reasons"]] == [(Reason.CANCELLED, 1200)]
        assert (await cancelled(client, batch))["cancelled_now"] == 0
        one = batch["results"][0]["request_id"]
        timeline = (await client.get(f"/notifications/{one}")).json()["data"]["timeline"]
        assert [entry["status"] for entry in timeline] == ["queued", "cancelled"]
        retry = await client.post(f"/batches/{batch['batch_id']}/retry-failed")
        assert retry.status_code == 409


async def test_a_cancel_tells_the_workers_of_what_is_in_the_queues(client, environment):
    batch = await accepted(client, {"notifications": [notification() for _ in range(3)]})
    told = await cancelled(client, batch)
    assert told["stops_queued"] is True
    assert told["state"] in ("cancelling", "cancelled")
    store = redis.asyncio.from_url(environment["REDIS_URL"])
    assert await store.ttl(f"carillon:cancelled:{batch['batch_id']}") > 30 * 86_400
    await store.aclose()


async def test_a_cancel_without_redis_says_that_it_stops_no_queues(start):
    gateway = await start(REDIS_URL="redis://127.0.0.1:9/0")
    async with gateway.client() as client:
        batch = await accepted(client, {"notifications": [notification()]})
        assert (await cancelled(client, batch))["stops_queued"] is False


async def test_a_cancel_ends_a_batch_that_is_being_taken_up(client, database):
    key, body = str(uuid4()), content(recipients=[next(users) for _ in range(10_000)])
    asked = asyncio.create_task(ask(client, body, key))
    found = []

    async def begun():
        newest = "SELECT batch_id FROM notifications WHERE user_id = $1"
        found[:] = await database.fetch(newest, body["recipients"][0])
        return found

    await until(begun)
    batch_id = found[0]["batch_id"]
    await cancelled(client, {"batch_id": batch_id})
    answer = await asked
    told = answer.json()["data"]
    assert told["batch_id"] == str(batch_id)
    codes = {one["error"]["code"] for one in told["results"] if one["error"]}
    assert codes == {"batch_cancelled"}
    members = "SELECT count(*) FROM notifications WHERE batch_id = $1"
    assert await database.fetchval(members, batch_id) == told["accepted"] < 10_000
    again = await ask(client, body, key)
    assert again.json() == answer.json()


async def test_single_sends_are_answered_while_a_batch_is_taken_up(client):
    body = content(recipients=[next(users) for _ in range(10_000)])
    asked = asyncio.create_task(ask(client, body))
    answered = 0
    while not asked.done():
        single = await client.post("/notifications/send", json=notification())
        assert single.status_code == 202
        answered += 1
    assert (await asked).json()["data"]["accepted"] == 10_000
    assert answered >= 5


async def test_a_batch_counts_only_its_own(client, database):
    first = await accepted(client, {"notifications": [notification()]})
    await accepted(client, {"notifications": [notification()]})
    assert (await shown(client, first))["statuses"] == {"queued": 1}
    row = await database.fetchrow(
        "SELECT batch_position FROM notifications WHERE batch_id = $1", UUID(first["batch_id"])
    )
    assert row["batch_position"] == 0
