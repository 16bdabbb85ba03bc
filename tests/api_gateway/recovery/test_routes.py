"""Recoveries over HTTP."""

import asyncio

import asyncpg
import pytest
import schemathesis

from tests.api_gateway.test_contract import succeeds
from tests.shared.broker import until

IN_THE_PAST = "2026-01-02T03:04:05Z"


@pytest.fixture
async def gateway(start):
    """One that these tests have to themselves: what they do is felt by all of it."""
    return await start()


@pytest.fixture
async def client(gateway):
    async with gateway.client() as client:
        yield client


async def finished(client, recovery_id):
    async def is_finished():
        shown = (await client.get(f"/recoveries/{recovery_id}")).json()["data"]
        return shown["state"] == "finished"

    await until(is_finished)
    return (await client.get(f"/recoveries/{recovery_id}")).json()["data"]


async def test_it_is_asked_for_followed_and_listed(client, own_environment):
    refused = await client.post("/recoveries", json={"force": False})
    # The mark is left at the first look, which may be still to come.
    if refused.status_code == 202:
        await finished(client, refused.json()["data"]["id"])
        refused = await client.post("/recoveries", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "nothing_lost")
    started = await client.post("/recoveries", json={"force": True, "rate_per_second": 7})
    assert started.status_code == 202
    shown = await finished(client, started.json()["data"]["id"])
    assert (shown["rate_per_second"], shown["looked_at"], shown["waiting_for"]) == (7, 0, None)
    listed = (await client.get("/recoveries", params={"limit": 1})).json()
    assert [one["id"] for one in listed["data"]] == [shown["id"]]
    assert (await client.get("/recoveries/999999")).status_code == 404


async def test_one_after_the_other(client, own_environment):
    database = await asyncpg.connect(own_environment["DATABASE_URL"])
    waiting = (
        "INSERT INTO recoveries (state, rate_per_second, due_at) "
        "VALUES ('running', 1, now() + interval '1 day')"
    )
    await database.execute(waiting)
    await database.close()
    answer = await client.post("/recoveries", json={"force": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "recovery_running")
    for _ in range(2):
        answer = await client.post("/recoveries", json={"restored_from": IN_THE_PAST})
        assert answer.status_code == 202, "a restored database is recovered in any case"
        assert answer.json()["data"]["id"] == 2


async def test_bad_requests(client, gateway):
    for body in (
        {"restored_from": "2999-01-01T00:00:00Z"},
        {"restored_from": "2026-01-01T00:00:00"},
        {"rate_per_second": 0},
        {"other": 1},
    ):
        answer = await client.post("/recoveries", json=body)
        assert answer.status_code == 422, body
        [field] = answer.json()["error"]["fields"]
        assert field["path"] in body
    async with gateway.client(key=None) as nobody:
        assert (await nobody.post("/recoveries", json={})).status_code == 401


async def test_starting_one_keeps_its_contract(gateway):
    document = await asyncio.to_thread(schemathesis.openapi.from_url, f"{gateway.url}/openapi.json")
    [operation] = [
        found.ok()
        for found in document.get_all_operations()
        if found.ok().label == "POST /recoveries"
    ]
    assert await asyncio.to_thread(succeeds, operation, {})
