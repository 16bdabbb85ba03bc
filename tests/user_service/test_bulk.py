"""Bulk upserts: a result each, and a constant number of statements."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.user_service.conftest import MakeUser


async def put(client: httpx.AsyncClient, *users: Any) -> dict[str, Any]:
    response = await client.put("/users/bulk", json={"users": users})
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def person(n: int | str, **fields: Any) -> dict[str, Any]:
    return {"external_id": f"x{n}", "username": f"u{n}", "email": f"u{n}@example.com", **fields}


async def test_new_ones_are_made_and_known_ones_updated(client: httpx.AsyncClient) -> None:
    wishes = {"push_token": "t2", "sms_enabled": False, "language": "de"}
    first = await put(client, person(1), person(2, preferences=wishes))
    assert (first["created"], first["updated"], first["failed"]) == (2, 0, 0)
    second = await put(
        client,
        {"external_id": "x2", "phone_number": "+49 151 23456789", "active": False},
        person(3),
        {"external_id": "x1", "preferences": {"push_token": "t2", "timezone": "Asia/Tokyo"}},
    )
    assert [one["result"] for one in second["results"]] == ["updated", "created", "updated"]
    one, two = (result["user_id"] for result in first["results"])
    user = (await client.get(f"/users/{two}")).json()["data"]
    assert (user["username"], user["phone_number"]) == ("u2", "+4915123456789")
    assert (user["active"], user["version"]) == (False, 2)
    preferences = (await client.get(f"/users/{two}/preferences")).json()["data"]
    assert (preferences["sms_enabled"], preferences["language"]) == (False, "de")
    assert preferences["push_token"] is None
    preferences = (await client.get(f"/users/{one}/preferences")).json()["data"]
    assert (preferences["push_token"], preferences["timezone"]) == ("t2", "Asia/Tokyo")


async def test_a_bad_one_fails_alone(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    await make_user("taken")
    answer = await put(
        client,
        person(1),
        person(1, username="again", email="again@example.com"),
        person(2, username="TAKEN"),
        person(3, email="Taken@example.com"),
        person(4, username="U1"),
        person(5, email="nobody"),
        {"external_id": "x6"},
        "no object",
        {"username": "x"},
        person(7, preferences={"timezone": "Mars/Olympus"}),
        person(2),
    )
    told = [
        (one["result"], [field["path"] for field in one["fields"]]) for one in answer["results"]
    ]
    assert told == [
        ("created", []),
        ("failed", ["external_id"]),
        ("failed", ["username"]),
        ("failed", ["email"]),
        ("failed", ["username"]),
        ("failed", ["email"]),
        ("failed", ["username", "email"]),
        ("failed", [""]),
        ("failed", ["external_id"]),
        ("failed", ["preferences.timezone"]),
        ("created", []),
    ]
    assert all(bool(one["reason"]) == (one["result"] == "failed") for one in answer["results"])
    assert [one["external_id"] for one in answer["results"][:3]] == ["x1", "x1", "x2"]


async def test_names_cannot_be_swapped_in_one_request(client: httpx.AsyncClient) -> None:
    await put(client, person(1), person(2))
    answer = await put(
        client, {"external_id": "x1", "username": "u2"}, {"external_id": "x2", "username": "u1"}
    )
    assert [one["result"] for one in answer["results"]] == ["failed", "failed"]


async def test_requests_that_overlap_all_succeed(client: httpx.AsyncClient) -> None:
    people = [person(n, preferences={"push_token": f"t{n % 7}-{n}"}) for n in range(40)]
    answers = await asyncio.gather(
        *(put(client, *(people if turn % 2 else reversed(people))) for turn in range(4))
    )
    assert [answer["failed"] for answer in answers] == [0] * 4
    assert sum(answer["created"] for answer in answers) == 40
    assert len((await client.get("/users?limit=100")).json()["data"]) == 40


async def test_its_size_is_limited(client: httpx.AsyncClient) -> None:
    for users in ([], [person(n) for n in range(1001)], None, {}):
        response = await client.put("/users/bulk", json={"users": users})
        assert response.status_code == 422
        assert response.json()["error"]["fields"][0]["path"] == "users"


async def test_a_thousand_cost_as_many_statements_as_two(client: httpx.AsyncClient) -> None:
    statements: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        counts = []
        for size in (2, 1000):
            statements.clear()
            people = [
                person(f"{size}-{n}", preferences={"push_token": f"{size}-{n}"})
                for n in range(size)
            ]
            assert (await put(client, *people))["created"] == size
            assert (await put(client, *people))["updated"] == size
            counts.append(len(statements))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert counts[0] == counts[1]
