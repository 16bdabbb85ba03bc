"""One idempotency key makes one notification, however often and wherever it is used."""

import asyncio
from itertools import count
from uuid import UUID, uuid4

import asyncpg

from tests.api_gateway.gateway import request, running

users = count(9000)


async def send(client, key, **changes):
    headers = {"Idempotency-Key": key}
    return await client.post("/notifications/send", json=request(**changes), headers=headers)


async def test_the_same_body_is_answered_as_before(client):
    key, user = str(uuid4()), next(users)
    first = await send(client, key, user_id=user, variables={"a": 1, "b": [1.5, "x"]})
    again = await send(client, key, variables={"b": [1.5, "x"], "a": 1}, user_id=user)
    assert (first.status_code, again.status_code) == (202, 202)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()


async def test_quoted_or_bare_is_the_same_key(client):
    key, user = str(uuid4()), next(users)
    bare, quoted = (
        await send(client, key, user_id=user),
        await send(client, f'"{key}"', user_id=user),
    )
    assert quoted.headers["Idempotency-Replayed"] == "true"
    assert quoted.json() == bare.json()


async def test_another_body_is_refused(client):
    key, user = str(uuid4()), next(users)
    first = await send(client, key, user_id=user)
    other = await send(client, key, user_id=user, variables={"name": "Ada"})
    assert other.status_code == 422
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert (await send(client, key, user_id=user)).json() == first.json()


async def test_a_key_belongs_to_its_api_key(gateway, client, make_key):
    key, user = str(uuid4()), next(users)
    mine = await send(client, key, user_id=user)
    async with gateway.client((await make_key("send"))["key"]) as other:
        theirs = await send(other, key, user_id=user, priority="low")
    assert theirs.status_code == 202
    assert theirs.json()["data"]["request_id"] != mine.json()["data"]["request_id"]


async def test_what_was_refused_may_be_corrected(client):
    key, user = str(uuid4()), next(users)
    assert (await send(client, key, user_id=user, template_id="nobody")).status_code == 422
    assert (await send(client, key, user_id=user)).status_code == 202


async def test_the_longest_key(client):
    key = "k" * 255
    assert (await send(client, key, user_id=next(users))).status_code == 202


async def test_without_a_header_the_request_id_is_the_key(client, database):
    name, user = str(uuid4()), next(users)
    body = request(user_id=user, request_id=name)
    first, again = [await client.post("/notifications/send", json=body) for _ in range(2)]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert UUID(first.json()["data"]["request_id"]) != UUID(name)
    other = await client.post("/notifications/send", json=body | {"priority": "low"})
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    moved = await send(client, name, user_id=user)
    assert moved.headers["Idempotency-Replayed"] == "true"
    assert moved.json() == first.json()
    query = "SELECT count(*) FROM notifications WHERE user_id = $1"
    assert await database.fetchval(query, user) == 1


async def test_a_header_wins_over_the_request_id(client):
    name, user = str(uuid4()), next(users)
    answers = [await send(client, str(uuid4()), user_id=user, request_id=name) for _ in range(2)]
    assert len({answer.json()["data"]["request_id"] for answer in answers}) == 2
    key = str(uuid4())
    first = await send(client, key, user_id=user, request_id=name)
    again = await send(client, key, user_id=user, request_id=name)
    assert again.json() == first.json()
    other = await send(client, key, user_id=user, request_id=f"{name}-2")
    assert other.json()["error"]["code"] == "idempotency_key_reused"


async def test_after_its_day_a_key_is_new(client, database):
    key, user = str(uuid4()), next(users)
    first = await send(client, key, user_id=user)
    ages = "UPDATE idempotency_keys SET created_at = now() - interval '24 hours' WHERE key = $1"
    await database.execute(ages, key)
    second = await send(client, key, user_id=user, priority="low")
    third = await send(client, key, user_id=user, priority="low")
    ids = [answer.json()["data"]["request_id"] for answer in (first, second, third)]
    assert ids[0] != ids[1] == ids[2]
    assert third.headers["Idempotency-Replayed"] == "true"


async def test_200_at_once_over_two_gateways_make_one_notification(gateway, environment, database):
    """Invariant: one idempotency key makes one notification and one answer."""
    user = next(users)
    with running(environment) as second:
        await check_200_at_once((gateway, second), user)
    query = "SELECT count(*) FROM notifications WHERE user_id = $1"
    assert await database.fetchval(query, user) == 1


async def test_200_at_once_without_redis_make_one_notification(start, postgres_url):
    """Invariant: idempotency needs PostgreSQL only."""
    away = {"REDIS_URL": "redis://127.0.0.1:9/0"}
    await check_200_at_once((await start(**away), await start(**away)), user=1)
    database = await asyncpg.connect(postgres_url)
    assert await database.fetchval("SELECT count(*) FROM notifications") == 1
    await database.close()


async def check_200_at_once(gateways, user):
    """200 requests with one key, in parallel over two gateways, get equal answers."""
    key = str(uuid4())
    async with gateways[0].client() as here, gateways[1].client() as there:
        for client in (here, there):
            await client.get("/notifications")
        sends = [send(client, key, user_id=user) for _ in range(100) for client in (here, there)]
        answers = await asyncio.gather(*sends)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


async def test_200_at_once_with_two_bodies_make_one_notification(client, database):
    key, user = str(uuid4()), next(users)
    sends = [send(client, key, user_id=user, variables={"n": n % 2}) for n in range(200)]
    answers = await asyncio.gather(*sends)
    assert sorted({answer.status_code for answer in answers}) == [202, 422]
    assert len({answer.text for answer in answers if answer.status_code == 202}) == 1
    query = "SELECT count(*) FROM notifications WHERE user_id = $1"
    assert await database.fetchval(query, user) == 1


async def test_neighbours_in_a_gathering_do_not_fail_for_each_other(client):
    """Invariant: nobody fails for a stranger's data."""
    user = next(users)
    good = [request(user_id=user, variables={"n": n}) for n in range(40)]
    bad = [
        request(user_id=user, template_id="nobody"),
        request(user_id=user, template_id="welcome_email"),
        request(user_id=user, channel="push"),
        request(user_id=user, variables={"n": "1" * 250_000}, metadata={}),
    ]
    answers = await asyncio.gather(
        *(client.post("/notifications/send", json=body) for body in [*good, *bad * 5])
    )
    assert {answer.status_code for answer in answers[:40]} == {202}
    assert [answer.status_code for answer in answers[40:44]] == [422, 422, 422, 202]
