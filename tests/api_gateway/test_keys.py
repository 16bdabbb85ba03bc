"""API keys: shown once, scoped, revoked at once."""

import hashlib
import re
from uuid import uuid4

import pytest

from tests.api_gateway.gateway import ADMIN_KEY, request, running
from tests.shared.broker import until

CALLS = {
    "send": ("POST", "/notifications/send"),
    "read": ("GET", "/notifications"),
    "templates": ("GET", "/templates"),
    "users": ("GET", "/users/1"),
    "admin": ("GET", "/api-keys"),
}


async def call(client, scope):
    """The status of a call that needs `scope`."""
    method, address = CALLS[scope]
    body = request() if method == "POST" else None
    return (await client.request(method, address, json=body)).status_code


async def test_without_a_key_only_the_public_is_open(gateway):
    async with gateway.client(None) as nobody:
        for scope in CALLS:
            assert await call(nobody, scope) == 401
        answer = await nobody.get("/notifications")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "unauthenticated"
        for address in ("/", "/health", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"):
            assert (await nobody.get(address)).status_code == 200, address


async def test_a_wrong_key_is_refused(gateway):
    values = ["Bearer ck_live_unknown", "Bearer x", f"Bearer {ADMIN_KEY}x", "Bearer", "Bearer Ω"]
    values += [f"Bearer {ADMIN_KEY.upper()}", f"Basic {ADMIN_KEY}", ADMIN_KEY]
    async with gateway.client(None) as client:
        for value in values:
            headers = {b"Authorization": value.encode()}
            assert (await client.get("/notifications", headers=headers)).status_code == 401


@pytest.mark.parametrize("scope", CALLS)
async def test_a_key_opens_what_its_scope_names(gateway, make_key, scope):
    key = await make_key(scope)
    async with gateway.client(key["key"]) as client:
        for other in CALLS:
            allowed = scope in (other, "admin")
            status = await call(client, other)
            assert (status == 403) is not allowed, (other, status)
            if allowed:
                assert status in (200, 202)


async def test_a_key_is_shown_once_and_stored_hashed(client, make_key, database):
    made = await make_key("send", "read", mode="test")
    assert re.fullmatch(r"ck_test_[A-Za-z0-9_-]{32}", made["key"])
    assert made["key"].startswith(made["prefix"])
    listed = (await client.get("/api-keys")).json()["data"][0]
    assert listed == {name: made[name] for name in made if name != "key"}
    assert (listed["scopes"], listed["mode"]) == (["read", "send"], "test")
    stored = await database.fetchrow("SELECT * FROM api_keys WHERE id = $1", made["id"])
    assert stored["key_hash"] == hashlib.sha256(made["key"].encode()).digest()
    assert made["key"] not in str(dict(stored))


async def test_keys_are_listed_in_pages(client, make_key):
    made = [(await make_key("read"))["id"] for _ in range(5)]
    first = (await client.get("/api-keys?limit=2")).json()
    assert [key["id"] for key in first["data"]] == made[:-3:-1]
    cursor = first["meta"]["next_cursor"]
    second = (await client.get("/api-keys", params={"limit": 3, "cursor": cursor})).json()
    assert [key["id"] for key in second["data"]] == made[2::-1]


async def test_bad_keys_are_not_made(client):
    good = {"name": "shop", "scopes": ["send"]}
    for change, path in (
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"mode": "dead"}, "mode"),
        ({"key": "my own"}, "key"),
    ):
        answer = await client.post("/api-keys", json=good | change)
        assert answer.status_code == 422
        assert [field["path"] for field in answer.json()["error"]["fields"]] == [path]


async def test_a_use_is_noted(gateway, client, make_key):
    key = await make_key("read")
    async with gateway.client(key["key"]) as user:
        assert await call(user, "read") == 200

    async def noted():
        listed = (await client.get("/api-keys")).json()["data"]
        return next(k for k in listed if k["id"] == key["id"])["last_used_at"] is not None

    await until(noted)


async def test_a_revoked_key_is_refused_at_once_by_every_gateway(gateway, environment, make_key):
    key = await make_key("read")
    with running(environment) as second:
        async with gateway.client(key["key"]) as here, second.client(key["key"]) as there:
            assert await call(here, "read") == await call(there, "read") == 200
            async with gateway.client() as admin:
                for _ in range(2):
                    answer = await admin.delete(f"/api-keys/{key['id']}")
                    assert answer.status_code == 200
                    assert answer.json()["data"]["revoked_at"]
            assert await call(here, "read") == 401

            async def refused():
                return await call(there, "read") == 401

            await until(refused)


async def test_a_neighbour_asks_whose_key_it_is(gateway, make_key, internal_token):
    key = await make_key("users")
    async with gateway.client(internal_token) as neighbour:
        address = "/internal/api-keys/verify"
        answer = await neighbour.post(address, json={"key": key["key"]})
        caller = answer.json()["data"]["caller"]
        assert caller["key_id"] == key["id"]
        assert (caller["scopes"], caller["mode"]) == (["users"], "live")
        answer = await neighbour.post(address, json={"key": f"ck_live_{uuid4()}"})
        assert answer.json()["data"]["caller"] is None
    async with gateway.client(ADMIN_KEY) as admin:
        assert (await admin.post(address, json={"key": "x"})).status_code == 403


async def test_open_only_when_it_is_set(start):
    gateway = await start(OPEN_LOOPBACK="true")
    async with gateway.client(None) as nobody:
        for scope in CALLS:
            assert await call(nobody, scope) in (200, 202)
    async with gateway.client("ck_live_wrong") as wrong:
        assert await call(wrong, "read") == 401


async def test_a_restart_does_not_bring_a_revoked_first_key_back(start):
    gateway = await start()
    async with gateway.client() as admin:
        [first] = (await admin.get("/api-keys")).json()["data"]
        await admin.delete(f"/api-keys/{first['id']}")
    gateway.stop()
    gateway.start()
    async with gateway.client() as admin:
        assert await call(admin, "admin") == 401
