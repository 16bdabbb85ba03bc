"""PostgreSQL is restored from a backup: nobody gets an email twice, or it is said who may have."""

import asyncio
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import pytest

from carillon_stack.engines.postgres import binaries
from tests.api_gateway.engines import with_path
from tests.api_gateway.gateway import request
from tests.api_gateway.reconciler.stalled import ago, remember_claims
from tests.shared.broker import until
from tests.shared.delivery.conftest import neighbours, settings
from tests.shared.delivery.worker import Letters, Post, Worker

__all__ = ["neighbours", "settings"]

BEFORE, MEANWHILE, AFTER = ("before", 3), ("meanwhile", 5), ("after", 2)
"""Sent before the backup, on their way at that moment, accepted after it."""


def tool(name: str) -> str:
    folder = binaries()
    found = shutil.which(name, path=str(folder)) if folder else shutil.which(name)
    return found or pytest.skip(f"needs {name}")


class Backup:
    """A dump of one database."""

    def __init__(self, url: str, folder) -> None:
        self._url = url
        self._file = folder / "gateway.dump"
        self.made_at = datetime.now(UTC)

    def make(self) -> None:
        command = [tool("pg_dump"), "--format=custom", f"--file={self._file}", self._url]
        subprocess.run(command, check=True, timeout=120)

    async def restore(self) -> None:
        """The database as it was: made anew, and filled."""
        name = urlsplit(self._url).path.removeprefix("/")
        server = await asyncpg.connect(with_path(self._url, "postgres"))
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.execute(f'CREATE DATABASE "{name}"')
        await server.close()
        command = [tool("pg_restore"), f"--dbname={self._url}", "--exit-on-error", self._file]
        await asyncio.to_thread(subprocess.run, command, check=True, timeout=120)


class World:
    """A gateway, and a worker that comes and goes."""

    def __init__(self, gateway, settings, database_url) -> None:
        self.gateway = gateway
        self.post = Post()
        self._settings = settings
        self._database_url = database_url

    def worker(self):
        return Worker(Letters(), self.post, self._settings()).running()

    async def send(self, name, count) -> list[str]:
        async with self.gateway.client() as client:
            ids = []
            for number in range(count):
                body = request(variables={"name": f"{name} {number}"})
                answer = await client.post("/notifications/send", json=body)
                assert answer.status_code == 202
                ids.append(answer.json()["data"]["request_id"])
            return ids

    async def ask(self, path, **params):
        async with self.gateway.client() as client:
            return await client.get(path, params=params)

    async def statuses(self, ids) -> Counter[str]:
        answers = [await self.ask(f"/notifications/{ident}") for ident in ids]
        return Counter(
            answer.json()["data"]["status"] if answer.status_code == 200 else "unknown"
            for answer in answers
        )

    async def until_all(self, ids, status) -> None:
        async def so() -> bool:
            return await self.statuses(ids) == {status: len(ids)}

        await until(so)

    async def query(self, query):
        connection = await asyncpg.connect(self._database_url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def recovered(self):
        async def is_finished() -> bool:
            listed = (await self.ask("/recoveries")).json()["data"]
            return [one["state"] for one in listed] == ["finished"]

        await until(is_finished)
        return (await self.ask("/recoveries")).json()["data"][0]

    def received(self) -> Counter[str]:
        return Counter(text.removeprefix("Good evening, ") for _, text in self.post.sent)


def each_once(*parts) -> Counter[str]:
    return Counter(f"{name} {number}!" for name, count in parts for number in range(count))


@pytest.fixture
async def world(start, neighbours, settings, postgres_url, cache):
    """Redis has had every claim for an hour."""
    await remember_claims(cache, since=ago(hours=1))
    gateway = await start(USER_SERVICE_URL=neighbours.url)
    return World(gateway, settings, postgres_url)


@pytest.fixture
async def lost(world, postgres_url, tmp_path):
    """What was sent before the backup, what was on its way, what came after; and the backup."""
    async with world.worker():
        before = await world.send(*BEFORE)
        await world.until_all(before, "sent")
    meanwhile = await world.send(*MEANWHILE)

    async def is_in_its_lane() -> bool:
        known = await world.query("SELECT outcomes_until FROM reconciliation")
        return known is not None and await world.query("SELECT count(*) FROM outbox") == 0

    await until(is_in_its_lane)
    # As if the backup were ten minutes old by the time of the loss.
    await world.query(
        "UPDATE reconciliation SET outcomes_until = outcomes_until - interval '10 minutes'"
    )
    backup = Backup(postgres_url, tmp_path)
    await asyncio.to_thread(backup.make)
    async with world.worker():
        after = await world.send(*AFTER)
        await world.until_all([*meanwhile, *after], "sent")
    await asyncio.to_thread(world.gateway.stop)
    await backup.restore()
    return before, meanwhile, after, backup


async def test_claims_tell_what_went_out_since(world, lost):
    before, meanwhile, after, _ = lost
    await asyncio.to_thread(world.gateway.start)
    recovery = await world.recovered()
    assert (recovery["enqueued"], recovery["held"]) == (len(meanwhile), 0)
    async with world.worker():
        await world.until_all(meanwhile, "sent")
    assert world.received() == each_once(BEFORE, MEANWHILE, AFTER)
    assert await world.statuses(before) == {"sent": len(before)}
    assert await world.statuses(after) == {"unknown": len(after)}


async def test_without_claims_it_is_said_what_may_have_gone_out(
    world, lost, start, neighbours, cache
):
    before, meanwhile, _, backup = lost
    await cache.command("FLUSHDB")
    told = {"RESTORED_FROM": (backup.made_at - timedelta(minutes=10)).isoformat()}
    world.gateway = await start(USER_SERVICE_URL=neighbours.url, **told)
    recovery = await world.recovered()
    assert (recovery["enqueued"], recovery["held"]) == (0, len(meanwhile))
    async with world.worker():
        # What comes now is delivered as ever, after anything that was on its way.
        new = await world.send("new", 1)
        await world.until_all(new, "sent")
    assert world.received() == each_once(BEFORE, MEANWHILE, AFTER, ("new", 1))
    assert await world.statuses(before) == {"sent": len(before)}
    listed = await world.ask("/dead-letters", reason="outcome_unknown")
    assert {one["request_id"] for one in listed.json()["data"]} == set(meanwhile)
