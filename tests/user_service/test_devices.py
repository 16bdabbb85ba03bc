"""Devices: registered, moved, switched off, removed."""

import asyncio
from typing import Any

import httpx

from tests.user_service.conftest import MakeUser


async def devices(client: httpx.AsyncClient, user_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"/users/{user_id}/devices")).json()["data"]
    return found


async def version(client: httpx.AsyncClient, user_id: int) -> int:
    return int((await client.get(f"/users/{user_id}")).json()["data"]["version"])


async def test_a_device_is_registered_once(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    user_id = (await make_user())["id"]
    body = {"kind": "fcm_token", "value": "token"}
    first = await client.post(f"/users/{user_id}/devices", json=body)
    again = await client.post(f"/users/{user_id}/devices", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    assert [device["value"] for device in await devices(client, user_id)] == ["token"]
    assert await version(client, user_id) == 3


async def test_a_device_moves_to_who_registers_it(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    before = (await make_user("before", preferences={"push_token": "token"}))["id"]
    after = (await make_user("after"))["id"]
    old, new = await version(client, before), await version(client, after)
    await client.put(f"/users/{after}/preferences", json={"push_token": "token"})
    assert await devices(client, before) == []
    assert [device["value"] for device in await devices(client, after)] == ["token"]
    assert await version(client, before) == old + 1
    assert await version(client, after) == new + 1


async def test_a_token_fought_over_ends_with_one_user(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    ids = [(await make_user(f"user{n}"))["id"] for n in range(6)]
    calls = [client.post(f"/users/{user_id}/devices", json={"value": "t"}) for user_id in ids * 3]
    statuses = {response.status_code for response in await asyncio.gather(*calls)}
    assert statuses <= {200, 201}
    holders = [user_id for user_id in ids if await devices(client, user_id)]
    assert len(holders) == 1


async def test_a_dead_token_is_switched_off_while_it_is_the_same(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    user_id = (await make_user(preferences={"push_token": "token"}))["id"]
    (device,) = await devices(client, user_id)
    before = await version(client, user_id)

    async def report(**changes: Any) -> bool:
        body = {"user_id": user_id, "device_id": str(device["id"]), "value": "token"} | changes
        response = await client.post("/internal/dead-devices", json=body)
        assert response.status_code == 200
        return bool(response.json()["data"]["switched_off"])

    for stale in (
        {"value": "older"},
        {"device_id": "9" * 30},
        {"device_id": "x"},
        {"user_id": user_id + 1},
    ):
        assert not await report(**stale)
    assert await version(client, user_id) == before
    assert await report()
    assert not await report()
    assert await version(client, user_id) == before + 1
    (dead,) = await devices(client, user_id)
    assert (dead["active"], dead["dead_since"] is None) == (False, False)
    preferences = (await client.get(f"/users/{user_id}/preferences")).json()["data"]
    assert preferences["push_token"] is None

    revived = await client.post(f"/users/{user_id}/devices", json={"value": "token"})
    assert revived.json()["data"]["active"] is True
    assert revived.json()["data"]["dead_since"] is None


async def test_devices_are_removed(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    user_id, other = (await make_user())["id"], (await make_user("other"))["id"]
    for value in ("a", "b", "c"):
        await client.post(f"/users/{user_id}/devices", json={"value": value})
    first, *_ = await devices(client, user_id)
    foreign = await client.delete(f"/users/{other}/devices/{first['id']}")
    one = await client.delete(f"/users/{user_id}/devices/{first['id']}")
    rest = await client.delete(f"/users/{user_id}/devices")
    assert foreign.status_code == 404
    assert one.json()["data"] == {"removed": 1}
    assert rest.json()["data"] == {"removed": 2}
    assert await devices(client, user_id) == []
