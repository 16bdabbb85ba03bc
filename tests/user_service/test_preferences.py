"""Preferences: partial updates, and a push token that registers a device."""

from typing import Any

import httpx

from tests.user_service.conftest import MakeUser

DEFAULTS = {
    "email_enabled": True,
    "push_enabled": True,
    "sms_enabled": True,
    "push_token": None,
    "language": None,
    "timezone": None,
}


async def test_a_new_user_allows_every_channel(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    user = await make_user()
    assert (await client.get(f"/users/{user['id']}/preferences")).json()["data"] == DEFAULTS


async def test_only_what_is_given_changes(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    address = f"/users/{(await make_user())['id']}/preferences"
    expected: dict[str, Any] = dict(DEFAULTS)
    for change in (
        {"sms_enabled": False},
        {"language": "pt-BR", "timezone": "America/Sao_Paulo"},
        {"push_token": "token-1"},
        {},
        {"push_token": None, "language": None, "email_enabled": False},
    ):
        expected |= change | {"push_token": change.get("push_token") or expected["push_token"]}
        response = await client.put(address, json=change)
        assert response.status_code == 200
        assert response.json()["data"] == expected
        assert (await client.get(address)).json()["data"] == expected


async def test_what_was_read_may_be_written_back(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    user = await make_user(preferences={"push_token": "t", "language": "en"})
    address = f"/users/{user['id']}/preferences"
    read = (await client.get(address)).json()["data"]
    assert (await client.put(address, json=read)).json()["data"] == read


BAD_CHANGES: list[dict[str, Any]] = [
    {"email_enabled": 1},
    {"email_enabled": "true"},
    {"push_enabled": None},
    {"language": "english please"},
    {"timezone": "../../etc/passwd"},
    {"timezone": "America"},
    {"timezone": "europe/berlin "},
    {"push_token": ""},
    {"push_token": "two words"},
    {"push_token": "x" * 2049},
]


async def test_bad_fields_are_named(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    address = f"/users/{(await make_user())['id']}/preferences"
    for change in BAD_CHANGES:
        response = await client.put(address, json=change)
        assert response.status_code == 422, change
        assert [field["path"] for field in response.json()["error"]["fields"]] == list(change)
    assert (await client.get(address)).json()["data"] == DEFAULTS
