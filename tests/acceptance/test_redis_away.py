"""Redis is away under load: everything is accepted, nothing lost, and preferences are obeyed."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from tests.acceptance.stack import Stack, until

RATE = 50


@dataclass
class Sent:
    """One request of the load."""

    user_id: int
    at: datetime
    seconds: float
    status: int
    request_id: UUID | None


@dataclass
class Load:
    """Requests at a constant rate, for users at random, until it is stopped."""

    stack: Stack
    users: list[int]
    template_id: str
    sent: list[Sent] = field(default_factory=list)
    stopped: bool = False

    async def run(self) -> None:
        headers = dict(self.stack.api.headers)
        async with httpx.AsyncClient(
            base_url=self.stack.url, headers=headers, timeout=30
        ) as client:
            beginning, tasks = time.perf_counter(), []
            while not self.stopped:
                due = beginning + len(tasks) / RATE
                await asyncio.sleep(max(0, due - time.perf_counter()))
                tasks.append(asyncio.create_task(self._send(client)))
            await asyncio.gather(*tasks)

    async def _send(self, client: httpx.AsyncClient) -> None:
        body = {
            "user_id": random.choice(self.users),
            "channel": "email",
            "template_id": self.template_id,
            "variables": {"name": "Ada"},
        }
        at, started = datetime.now(UTC), time.perf_counter()
        answer = await client.post("/notifications/send", json=body)
        seconds = time.perf_counter() - started
        accepted = answer.status_code == 202
        request_id = UUID(answer.json()["data"]["request_id"]) if accepted else None
        self.sent.append(Sent(body["user_id"], at, seconds, answer.status_code, request_id))

    def percentile(self, share: float) -> float:
        seconds = sorted(one.seconds for one in self.sent)
        return seconds[min(len(seconds) - 1, int(len(seconds) * share))]


def _switch_off(stack: Stack, user_id: int) -> datetime:
    """From when on it holds that this person gets no email."""
    answer = stack.api.put(f"/users/{user_id}/preferences", json={"email_enabled": False})
    answered_at = datetime.now(UTC)
    assert answer.status_code == 200, answer.text
    told = (answer.json()["meta"] or {}).get("effective_at")
    return datetime.fromisoformat(told) if told else answered_at


def _switch_off_at_once(stack: Stack, user_id: int) -> datetime:
    """The same, told again until it holds at once."""

    def told() -> datetime | None:
        holds_at = _switch_off(stack, user_id)
        return holds_at if holds_at <= datetime.now(UTC) else None

    return until(told, seconds=30, what="Redis is told of a preference")


def _received(stack: Stack) -> list[UUID]:
    """The notification of each email that arrived; a repeat stands twice."""
    heads = map(json.loads, stack.sandbox.get("/messages.ndjson", timeout=60).text.splitlines())
    marks = (head["mark"] for head in heads if head["channel"] == "email")
    return [UUID(mark.strip("<>").partition(".")[0]) for mark in marks]


def _count(stack: Stack) -> int:
    return int(stack.sandbox.get("/stats").json()["email"])


async def _through_an_outage(stack: Stack, load: Load, seconds: float) -> dict[int, datetime]:
    """Has Redis stopped for `seconds` under load; whom emails were switched off for, from when."""
    during, after = load.users[:2]
    off = {}
    running = asyncio.create_task(load.run())
    await asyncio.sleep(2)
    await asyncio.to_thread(stack.carillon, "stop", "redis")
    stopped_at = time.monotonic()
    await asyncio.sleep(seconds / 3)
    off[during] = await asyncio.to_thread(_switch_off, stack, during)
    assert off[during] > datetime.now(UTC), "without Redis a change must say from when it holds"
    await asyncio.sleep(max(0, stopped_at + seconds - time.monotonic()))
    await asyncio.to_thread(stack.carillon, "start", "redis")
    off[after] = await asyncio.to_thread(_switch_off_at_once, stack, after)

    def asked_for() -> bool:
        return any(one.user_id == after and one.at >= off[after] for one in load.sent)

    what = "a send to whom emails were switched off for"
    await asyncio.to_thread(until, asked_for, seconds=60, what=what)
    load.stopped = True
    await running
    return off


def _check(stack: Stack, seconds: float) -> None:
    users = [user["id"] for user in stack.users(120)]
    load = Load(stack, users, stack.template())
    before = _count(stack)
    off = asyncio.run(_through_an_outage(stack, load, seconds))
    assert {one.status for one in load.sent} == {202}
    wanted = {one.request_id for one in load.sent if one.user_id not in off}
    enough = before + len(wanted)
    until(lambda: _count(stack) >= enough, seconds=300, what="so many emails have arrived")
    until(lambda: wanted <= set(_received(stack)), seconds=60, what="every email has arrived")
    received = _received(stack)
    for one in load.sent:
        if one.user_id in off:
            status = stack.final(str(one.request_id), seconds=60)["status"]
            assert status == ("sent" if one.request_id in received else "skipped")
            if one.at >= off[one.user_id]:
                assert status == "skipped", "a preference was not obeyed"
    ours = [one for one in received if one in {sent.request_id for sent in load.sent}]
    p50, p99, worst = (load.percentile(share) * 1000 for share in (0.5, 0.99, 1))
    print(
        f"\nRedis away for {seconds:g} s at {RATE}/s: {len(load.sent)} accepted, p50 {p50:.0f} ms, "
        f"p99 {p99:.0f} ms, worst {worst:.0f} ms; {len(ours) - len(set(ours))} repeated"
    )


def test_some_seconds_without_redis(stack):
    stack.until_healthy(seconds=60)
    _check(stack, seconds=6)


@pytest.mark.endurance
def test_a_minute_without_redis(stack):
    stack.until_healthy(seconds=60)
    _check(stack, seconds=60)
