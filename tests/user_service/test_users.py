"""Making, reading, changing and deleting users."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from tests.user_service.conftest import MakeUser


def fields(response: httpx.Response) -> set[str]:
    return {field["path"] for field in response.json()["error"]["fields"]}


async def test_a_user_is_made_in_normal_form(client: httpx.AsyncClient) -> None:
    body = {
        "username": "  John Doe ",
        "email": "John.Doe@EXAMPLE.com",
        "password": "correct horse",
        "phone_number": "+1 (415) 555-2671",
        "external_id": "user-123",
    }
    response = await client.post("/users", json=body)
    answer = response.json()
    assert response.status_code == 201
    assert answer["success"] is True
    assert answer["meta"] is None
    user = answer["data"]
    assert (user["username"], user["email"]) == ("John Doe", "John.Doe@example.com")
    assert (user["phone_number"], user["external_id"]) == ("+14155552671", "user-123")
    assert (user["active"], user["version"]) == (True, 1)
    assert (await client.get(f"/users/{user['id']}")).json()["data"] == user


async def test_a_password_is_kept_as_an_argon2_hash_only(
    client: httpx.AsyncClient, make_user: MakeUser, postgres_url: str, capsys: Any
) -> None:
    user = await make_user(password="correct horse")
    changed = await client.put(f"/users/{user['id']}", json={"password": "battery staple"})
    refused = await client.put(f"/users/{user['id']}", json={"password": "batt\tle" * 99})
    assert changed.status_code == 200
    assert refused.status_code == 422
    connection = await asyncpg.connect(postgres_url)
    kept = await connection.fetchval("SELECT password_hash FROM users")
    await connection.close()
    assert kept.startswith("$argon2id$")
    seen = changed.text + refused.text + capsys.readouterr().out + str(user)
    assert not any(secret in seen for secret in ("correct", "battery", "batt\\t", "argon2"))


@pytest.mark.parametrize(
    ("field", "value", "other"),
    [
        ("username", "johndoe", "JohnDoe"),
        ("username", "straße", "STRASSE"),
        ("email", "john@example.com", "JOHN@Example.COM"),
        ("external_id", "user-1", "user-1"),
    ],
)
async def test_what_is_taken_is_named(
    client: httpx.AsyncClient, make_user: MakeUser, field: str, value: str, other: str
) -> None:
    await make_user("first", **{field: value})
    second = await make_user("second")
    body = {"username": "third", "email": "third@example.com", field: other}
    for response in (
        await client.post("/users", json=body),
        await client.put(f"/users/{second['id']}", json={field: other}),
    ):
        assert response.status_code == 409
        assert fields(response) == {field}
    unchanged = (await client.get(f"/users/{second['id']}")).json()["data"]
    assert unchanged == second


async def test_one_of_two_who_want_a_name_at_once_gets_it(client: httpx.AsyncClient) -> None:
    calls = [
        client.post("/users", json={"username": "same", "email": f"{n}@example.com"})
        for n in range(12)
    ]
    statuses = sorted(response.status_code for response in await asyncio.gather(*calls))
    assert statuses == [201] + [409] * 11


BAD_FIELDS: list[tuple[str, Any]] = [
    ("username", ""),
    ("username", "   "),
    ("username", "line\nbreak"),
    ("username", "x" * 101),
    ("username", None),
    ("username", 7),
    ("email", "nobody"),
    ("email", "a@b@c.com"),
    ("email", "John <john@example.com>"),
    ("email", "john@example.com\r\nBcc: x@example.com"),
    ("email", "john@nowhere.invalid"),
    ("email", "x" * 65 + "@example.com"),
    ("email", "x@" + "y" * 250 + ".com"),
    ("email", None),
    ("phone_number", "4155552671"),
    ("phone_number", "+1"),
    ("phone_number", "+1 415 555 2671 ext. 5"),
    ("phone_number", "+99912345678"),
    ("external_id", ""),
    ("external_id", "a\x7fb"),
    ("external_id", "x" * 256),
    ("password", "short"),
    ("password", "x" * 129),
    ("username", "nul\x00"),
    ("username", "\ud800"),
    ("preferences.timezone", "Mars/Olympus"),
]


async def test_bad_fields_are_named(client: httpx.AsyncClient) -> None:
    for field, value in BAD_FIELDS:
        body: dict[str, Any] = {"username": "johndoe", "email": "john@example.com"}
        outer, _, inner = field.partition(".")
        body[outer] = {inner: value} if inner else value
        response = await client.post(
            "/users", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422, (field, value)
        assert fields(response) == {field}, (field, value)


async def test_intranet_and_test_addresses_are_welcome(make_user: MakeUser) -> None:
    for n, email in enumerate(
        ("a@b.test", "ops@printer.local", "root@localhost", "x@intranet", "jürgen@münchen.example")
    ):
        assert (await make_user(f"user{n}", email=email))["email"] == email


async def test_only_what_is_given_changes(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    user = await make_user(phone_number="+14155552671", external_id="one")
    address = f"/users/{user['id']}"
    off = (await client.put(address, json={"active": False})).json()["data"]
    changed = {"active", "version", "updated_at"}
    assert {name for name in user if user[name] != off[name]} == changed
    cleared = (await client.put(address, json={"phone_number": None})).json()["data"]
    assert cleared["phone_number"] is None
    assert (cleared["active"], cleared["external_id"], cleared["version"]) == (False, "one", 3)


async def test_null_does_not_empty_what_must_stand(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    user = await make_user()
    nulls = {"username": None, "email": None, "password": None, "active": None}
    response = await client.put(f"/users/{user['id']}", json=nulls)
    assert response.status_code == 422
    assert fields(response) == set(nulls)


async def test_a_deleted_user_leaves_nothing(
    client: httpx.AsyncClient, make_user: MakeUser, postgres_url: str
) -> None:
    user = await make_user(preferences={"push_token": "token"})
    assert (await client.delete(f"/users/{user['id']}")).status_code == 200
    for method in ("GET", "PUT", "DELETE"):
        response = await client.request(method, f"/users/{user['id']}", json={})
        assert response.status_code == 404
    connection = await asyncpg.connect(postgres_url)
    for query in (
        "SELECT count(*) FROM users",
        "SELECT count(*) FROM preferences",
        "SELECT count(*) FROM devices",
    ):
        assert await connection.fetchval(query) == 0
    await connection.close()


async def test_lists_go_on_behind_their_cursor(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    made = [(await make_user(f"user{n}"))["id"] for n in range(5)]
    seen: list[int] = []
    cursor: str | None = None
    for expected in (2, 2, 1):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = (await client.get("/users", params=params)).json()
        assert len(answer["data"]) == expected
        seen += [user["id"] for user in answer["data"]]
        cursor = answer["meta"]["next_cursor"]
    assert (seen, cursor) == (made, None)


async def test_bad_pages_are_refused(client: httpx.AsyncClient) -> None:
    cursors = ("nonsense", "ä", "", "LTE=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk=", "x" * 65)
    bad = [{"cursor": cursor} for cursor in cursors]
    bad += [{"limit": limit} for limit in ("0", "101", "x")]
    for params in bad:
        response = await client.get("/users", params=params)
        assert response.status_code == 422, params
        assert fields(response) == set(params)


async def test_users_are_found_by_what_is_unique(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    user = await make_user("Jane", external_id="crm-7")
    await make_user("other")
    for params in ({"username": "JANE"}, {"email": "jane@EXAMPLE.com"}, {"external_id": "crm-7"}):
        found = (await client.get("/users", params=params)).json()["data"]
        assert [one["id"] for one in found] == [user["id"]]


async def test_impossible_ids_are_refused(client: httpx.AsyncClient) -> None:
    for user_id in ("0", "-1", "x", "9223372036854775808", "1.5", "9" * 5000):
        response = await client.get(f"/users/{user_id}")
        assert response.status_code == 422
        assert fields(response) == {"user_id"}


async def test_unknown_ids_are_told_everywhere(client: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", "/users/7"),
        ("PUT", "/users/7"),
        ("DELETE", "/users/7"),
        ("GET", "/users/7/preferences"),
        ("PUT", "/users/7/preferences"),
        ("GET", "/users/7/devices"),
        ("DELETE", "/users/7/devices"),
        ("DELETE", "/users/7/devices/1"),
    ):
        assert (await client.request(method, path, json={})).status_code == 404, path
    registered = await client.post("/users/7/devices", json={"value": "token"})
    assert registered.status_code == 404


async def test_strangers_are_turned_away(client: httpx.AsyncClient) -> None:
    for path in ("/users", "/users/1/preferences", "/users/1/devices", "/internal/profiles"):
        response = await client.request(
            "POST" if "internal" in path else "GET", path, headers={"Authorization": ""}
        )
        assert response.status_code == 401, path
