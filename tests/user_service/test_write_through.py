"""What channel workers read: profiles in Redis, newest first, or a promise from when."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx

from shared.cache import ProfileCache
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Channel
from tests.user_service.conftest import MakeUser, running
from user_service.settings import Settings


async def test_every_change_is_in_the_cache_when_it_is_answered(
    client: httpx.AsyncClient, make_user: MakeUser, profiles: ProfileCache
) -> None:
    """Invariant: after a change has been answered, no older profile is in the cache."""
    user_id = (await make_user(phone_number="+14155552671"))["id"]

    async def cached() -> Profile:
        return (await profiles.get_many([user_id]))[user_id]

    assert (await cached()).phone_number == "+14155552671"
    await client.put(f"/users/{user_id}", json={"active": False})
    assert (await cached()).active is False
    await client.put(f"/users/{user_id}/preferences", json={"sms_enabled": False})
    assert (await cached()).enabled == {Channel.EMAIL, Channel.PUSH}
    await client.post(f"/users/{user_id}/devices", json={"value": "token"})
    (device,) = (await cached()).devices
    assert device.value == "token"
    dead = {"user_id": user_id, "device_id": device.id, "value": "token"}
    await client.post("/internal/dead-devices", json=dead)
    assert (await cached()).devices == ()
    await client.put(
        "/users/bulk",
        json={"users": [{"external_id": "x", "username": "x", "email": "x@example.com"}]},
    )
    assert (await profiles.get_many([user_id + 1]))[user_id + 1].email == "x@example.com"
    before = (await cached()).version
    await client.delete(f"/users/{user_id}")
    assert await profiles.get_many([user_id]) == {}
    await profiles.put_many([Profile(user_id=user_id, version=before)])
    assert await profiles.get_many([user_id]) == {}, "a slow filler brought a deleted user back"


async def test_concurrent_changes_end_with_the_newest(
    client: httpx.AsyncClient, make_user: MakeUser, profiles: ProfileCache
) -> None:
    """Invariant: whatever the order of answers, the cache holds what the database holds."""
    user_id = (await make_user())["id"]
    calls = [
        client.put(f"/users/{user_id}/preferences", json={"language": language})
        for language in ("de", "fr", "it", "es", "pt", "nl", "sv", "da") * 3
    ]
    assert {response.status_code for response in await asyncio.gather(*calls)} == {200}
    kept = (await client.post("/internal/profiles", json={"user_ids": [user_id]})).json()
    (truth,) = kept["data"]["profiles"]
    assert truth["version"] == 25
    assert (await profiles.get_many([user_id]))[user_id] == Profile.model_validate(truth)


async def test_the_owner_of_a_moved_device_is_told_too(
    client: httpx.AsyncClient, make_user: MakeUser, profiles: ProfileCache
) -> None:
    before = (await make_user("before", preferences={"push_token": "token"}))["id"]
    after = (await make_user("after", preferences={"push_token": "token"}))["id"]
    cached = await profiles.get_many([before, after])
    assert cached[before].devices == ()
    assert [device.value for device in cached[after].devices] == ["token"]


async def test_without_redis_changes_succeed_and_say_from_when(
    settings: Settings, postgres_url: str
) -> None:
    deaf = settings.model_copy(
        update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:9")}
    )
    async with running(deaf) as client:
        body = {"username": "john", "email": "john@example.com"}
        made = await client.post("/users", json=body)
        user_id = made.json()["data"]["id"]
        answers = [
            made,
            await client.put(f"/users/{user_id}/preferences", json={"email_enabled": False}),
            await client.post(f"/users/{user_id}/devices", json={"value": "token"}),
            await client.put("/users/bulk", json={"users": [body | {"external_id": "x"}]}),
            await client.delete(f"/users/{user_id}"),
        ]
        health = (await client.get("/health")).json()
    for answer in answers[:3] + answers[4:]:
        assert answer.is_success
        ahead = datetime.fromisoformat(answer.json()["meta"]["effective_at"]) - datetime.now(UTC)
        assert timedelta(seconds=20) < ahead <= timedelta(seconds=30)
    assert answers[3].json()["meta"] is None, "nothing changed, so nothing had to be told"
    assert health["status"] == "degraded"
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SELECT count(*) FROM users") == 0
    await connection.close()


async def test_many_profiles_are_read_at_once(client: httpx.AsyncClient) -> None:
    people = [
        {"external_id": str(n), "username": f"u{n}", "email": f"u{n}@example.com"}
        for n in range(300)
    ]
    made = (await client.put("/users/bulk", json={"users": people})).json()["data"]["results"]
    ids = [one["user_id"] for one in made]
    question = {"user_ids": [*ids, -1, 0, 10**12, 10**30]}
    response = await client.post("/internal/profiles", json=question)
    answer = response.json()["data"]["profiles"]
    assert {profile["user_id"] for profile in answer} == set(ids)
    assert Profile.model_validate(answer[0]).enabled == frozenset(Channel)
