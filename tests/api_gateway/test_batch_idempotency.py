"""One idempotency key makes one batch, whatever dies in the middle of it."""

import asyncio
from itertools import count
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.api_gateway.gateway import request, running
from tests.api_gateway.test_batches import accepted, ask, content, notification
from tests.proxy import proxied
from tests.shared.broker import until

users = count(800_000)

MEMBERS = "SELECT count(*) FROM notifications WHERE batch_id IS NOT NULL"


async def test_the_same_body_is_answered_as_before(client, database):
    key = str(uuid4())
    body = {"notifications": [notification(), request(user_id=0)]}
    first = await ask(client, body, key)
    again = await ask(
        client,
        {"notifications": [dict(reversed(one.items())) for one in body["notifications"]]},
        key,
    )
    assert (first.status_code, again.status_code) == (202, 202)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    batch_id = UUID(first.json()["data"]["batch_id"])
    members = "SELECT count(*) FROM notifications WHERE batch_id = $1"
    assert await database.fetchval(members, batch_id) == 1


async def test_another_body_is_refused(client):
    key = str(uuid4())
    await accepted(client, {"notifications": [notification()]}, key)
    other = await ask(client, {"notifications": [notification()]}, key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    single = await client.post(
        "/notifications/send", json=notification(), headers={"Idempotency-Key": key}
    )
    assert (single.status_code, single.json()["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_key_of_a_single_send_is_no_key_of_a_batch(client):
    key = str(uuid4())
    headers = {"Idempotency-Key": key}
    await client.post("/notifications/send", json=notification(), headers=headers)
    other = await ask(client, {"notifications": [notification()]}, key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_key_that_is_no_key_is_refused(client):
    answer = await ask(client, {"notifications": [notification()]}, "k" * 256)
    assert answer.status_code == 422


async def test_an_item_has_a_key_of_its_own(client):
    own, user = str(uuid4()), next(users)
    item = request(user_id=user, request_id=own)
    first = await accepted(client, {"notifications": [item]})
    second = await accepted(client, {"notifications": [notification(), item, item]})
    [told] = first["results"]
    assert [one["request_id"] == told["request_id"] for one in second["results"]] == [
        *(False, True, True)
    ]
    assert [one["replayed"] for one in second["results"]] == [False, True, True]
    shown = (await client.get(f"/batches/{second['batch_id']}")).json()["data"]
    assert (shown["accepted"], shown["replayed"], shown["statuses"]) == (3, 2, {"queued": 1})
    other = await accepted(client, {"notifications": [{**item, "metadata": {"a": 1}}]})
    assert other["results"][0]["error"]["code"] == "idempotency_key_reused"


async def test_20_at_once_over_two_gateways_make_one_batch(gateway, environment, database):
    """Invariant: one idempotency key makes one batch and one answer."""
    key, body = str(uuid4()), content(recipients=[next(users) for _ in range(2000)])
    before = await database.fetchval("SELECT count(*) FROM batches")
    with running(environment) as second:
        async with gateway.client() as here, second.client() as there:
            asked = [ask(client, body, key) for _ in range(10) for client in (here, there)]
            answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert await database.fetchval("SELECT count(*) FROM batches") == before + 1
    batch_id = UUID(answers[0].json()["data"]["batch_id"])
    members = "SELECT count(*) FROM notifications WHERE batch_id = $1"
    assert await database.fetchval(members, batch_id) == 2000


@pytest.fixture
async def table(postgres_url):
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def some_are_committed(table):
    try:
        return await table.fetchval(MEMBERS) > 0
    except asyncpg.UndefinedTableError:
        return False


async def check_it_is_whole(table, batch, number):
    rows = await table.fetch("SELECT user_id, id FROM notifications ORDER BY batch_position")
    assert [row["user_id"] for row in rows] == list(range(1, number + 1))
    assert [str(row["id"]) for row in rows] == [one["request_id"] for one in batch["results"]]


async def test_postgresql_dies_in_the_middle_of_a_batch(start, postgres_url, table):
    """Invariant: what was committed is told so, and the batch is completed without repeats."""
    number, key = 10_000, str(uuid4())
    body = content(recipients=list(range(1, number + 1)))
    async with proxied(postgres_url) as (proxy, through):
        gateway = await start(DATABASE_URL=through)
        async with gateway.client() as client:
            asked = asyncio.create_task(ask(client, body, key))
            await until(lambda: some_are_committed(table))
            proxy.cut()
            answer = await asked
            proxy.restore()
            assert answer.status_code == 202, answer.text
            told = answer.json()["data"]
            assert 0 < told["accepted"] < number
            assert told["accepted"] + told["refused"] == number
            codes = {one["error"]["code"] for one in told["results"] if one["error"]}
            assert codes == {"database_unavailable"}
            # Nothing is called committed that is not.
            ids = {row["id"] for row in await table.fetch("SELECT id FROM notifications")}
            claimed = {UUID(o["request_id"]) for o in told["results"] if o["request_id"]}
            assert claimed <= ids

            async def shown():
                got = await client.get(f"/batches/{told['batch_id']}")
                return got.status_code == 200 and got.json()["data"]["state"] == "interrupted"

            await until(shown)
            batch = await until_accepted(client, body, key)
            assert (batch["accepted"], batch["batch_id"]) == (number, told["batch_id"])
            await check_it_is_whole(table, batch, number)
            shown = (await client.get(f"/batches/{batch['batch_id']}")).json()["data"]
            assert (shown["state"], shown["accepted"]) == ("running", number)


async def test_a_gateway_dies_in_the_middle_of_a_batch(start, table):
    """Invariant: the same call completes the batch, and commits nothing twice."""
    number, key = 10_000, str(uuid4())
    body = content(recipients=list(range(1, number + 1)))
    first, second = await start(), await start()
    async with first.client() as here, second.client() as there:
        asked = asyncio.create_task(ask(here, body, key))
        await until(lambda: some_are_committed(table))
        first.kill()
        with pytest.raises(Exception):  # noqa: B017, PT011 - however the connection ends
            await asked
        assert 0 < await table.fetchval(MEMBERS) < number
        batch = await until_accepted(there, body, key)
        await check_it_is_whole(table, batch, number)
        again = await ask(there, body, key)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json()["data"] == batch
    first.start()


async def until_accepted(client, body, key):
    answers = []

    async def asked():
        answers.append(await ask(client, body, key))
        return answers[-1].status_code == 202 and not answers[-1].json()["data"]["refused"]

    await until(asked, seconds=60)
    return answers[-1].json()["data"]
