"""Preferences, changed at the real user service while a burst for that person is on its way."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from shared.schemas.vocabulary import Reason, Status
from tests.processes import running
from tests.shared.broker import notification, until
from tests.shared.cache.redis_server import RedisServer
from tests.shared.delivery.worker import Letters, Post

NOWHERE = "http://127.0.0.1:9"


class Watched(Letters):
    """Writes letters that say when the licence to send them was about to be asked for."""

    def compose(self, _fields, message, _address):
        return str(message.id), str(time.monotonic())


class SlowPost(Post):
    """Takes its time, so that the burst lasts."""

    async def send(self, content, *, key):
        await asyncio.sleep(0.02)
        return await super().send(content, key=key)


@dataclass
class Burst:
    """Messages for one person, put into the lane as long as the test wants."""

    lane: object
    user_id: int
    channel: Watched = field(default_factory=Watched)
    post: SlowPost = field(default_factory=SlowPost)
    put: set[UUID] = field(default_factory=set)
    outcomes: dict[UUID, tuple[Status, Reason | None]] = field(default_factory=dict)

    @property
    def sent(self) -> set[UUID]:
        return {UUID(name) for name, _ in self.post.sent}

    async def go_on(self, count: int | None = None) -> None:
        """Puts that many, or until it is cancelled."""
        while count is None or count > 0:
            message = notification(user_id=self.user_id)
            self.put.add(message.id)
            await self.lane.put(message)
            count = count and count - 1
            await asyncio.sleep(0.003)

    async def all_settled(self) -> None:
        """Returns when each one is known to be sent or skipped."""
        while len(self.outcomes) < len(self.put):
            report = await self.lane.report()
            self.outcomes[report.notification_id] = report.status, report.reason

    def check(self, switched_off_at: float) -> None:
        """Invariant: after the change was answered, no send begins against the older state."""
        late = [name for name, asked_at in self.post.sent if float(asked_at) > switched_off_at]
        assert late == []
        skipped = self.put - self.sent
        assert self.sent
        assert skipped
        reasons = {self.outcomes[one] for one in skipped}
        assert reasons == {(Status.SKIPPED, Reason.CHANNEL_DISABLED)}


@pytest.fixture
def environment(postgres_url, redis_url, internal_token):
    return {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "INTERNAL_SERVICE_TOKEN": internal_token,
        "API_GATEWAY_URL": NOWHERE,
    }


class Person:
    """One user at a user service."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.id = 0

    async def made(self) -> "Person":
        answer = await self._client.post(
            "/users", json={"username": "ada", "email": "ada@example.com"}
        )
        self.id = answer.json()["data"]["id"]
        return self

    async def allows_email(self, allowed: bool) -> tuple[float, datetime | None]:
        """When the change had been answered, and what it said of `effective_at`."""
        answer = await self._client.put(
            f"/users/{self.id}/preferences", json={"email_enabled": allowed}
        )
        answered_at = time.monotonic()
        assert answer.status_code == 200, answer.text
        told = (answer.json()["meta"] or {}).get("effective_at")
        return answered_at, told and datetime.fromisoformat(told)


@pytest.fixture
async def at_user_service(internal_token):
    """Starts a user service, and makes a person there."""
    async with AsyncExitStack() as stack:

        async def started(environment) -> tuple[str, Person]:
            process = running("user_service", environment)
            service = await asyncio.to_thread(stack.enter_context, process)
            headers = {"Authorization": f"Bearer {internal_token}"}
            client = httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30)
            await stack.enter_async_context(client)
            return service.url, await Person(client).made()

        yield started


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_preference_switched_off_during_a_burst_holds_at_once(
    at_user_service, environment, start, lane, workers
):
    url, person = await at_user_service(environment)
    burst = Burst(lane, person.id)
    for _ in range(workers):
        await start(channel=burst.channel, post=burst.post, user_service_url=url)
    going_on = asyncio.create_task(burst.go_on())
    await until(lambda: len(burst.post.sent) > 30)
    switched_off_at, effective_at = await person.allows_email(False)
    going_on.cancel()
    assert effective_at is None
    await burst.go_on(50)
    await burst.all_settled()
    burst.check(switched_off_at)


async def test_a_preference_holds_at_once_through_a_restart_of_redis(
    at_user_service, environment, start, lane, tmp_path
):
    """While Redis is away the change is promised for later; told again afterwards, it holds."""
    redis = RedisServer(tmp_path)
    redis.start()
    try:
        url, person = await at_user_service(environment | {"REDIS_URL": redis.url})
        burst = Burst(lane, person.id)
        for _ in range(2):
            await start(
                channel=burst.channel, post=burst.post, user_service_url=url, redis_url=redis.url
            )
        going_on = asyncio.create_task(burst.go_on())
        await until(lambda: len(burst.post.sent) > 20)
        redis.kill()
        _, effective_at = await person.allows_email(False)
        assert effective_at is not None
        assert 20 < (effective_at - datetime.now(UTC)).total_seconds() <= 30
        await asyncio.to_thread(redis.start)
        holds_at = 0.0

        async def holds() -> bool:
            nonlocal holds_at
            holds_at, promised = await person.allows_email(False)
            return promised is None

        await until(holds)
        going_on.cancel()
        await burst.go_on(50)
        await burst.all_settled()
        burst.check(holds_at)
    finally:
        redis.kill()
