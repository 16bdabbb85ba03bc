"""How a service's resources end: drained together, closed in reverse, in time."""

import asyncio
import time

import pytest

from shared.service.resources import Resources


class Worker:
    """A resource that takes work by itself, and is done with it when the test says so."""

    essential = False

    def __init__(self, name, journal):
        self.name = name
        self.journal = journal
        self.is_done = asyncio.Event()
        self.says_goodbye = True

    async def open(self): ...

    async def drain(self):
        self.journal.append(f"{self.name} takes no more")
        await self.is_done.wait()
        self.journal.append(f"{self.name} is drained")

    async def close(self):
        if not self.says_goodbye:
            await asyncio.Event().wait()
        self.journal.append(f"{self.name} is closed")


@pytest.fixture
def journal():
    return []


@pytest.fixture
async def workers(journal):
    return [Worker(name, journal) for name in ("first", "second", "third")]


async def test_all_stop_taking_at_once_and_nothing_is_closed_before_all_are_drained(
    workers, journal
):
    resources = Resources("test", workers)
    await resources.open()
    resources.leave()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert journal == ["first takes no more", "second takes no more", "third takes no more"]
    closing = asyncio.create_task(resources.close())
    for worker in reversed(workers):
        worker.is_done.set()
        await asyncio.sleep(0)
    await closing
    assert journal[3:6] == ["third is drained", "second is drained", "first is drained"]
    assert journal[6:] == ["third is closed", "second is closed", "first is closed"]


async def test_whoever_hangs_ends_within_the_grace_time(workers, journal):
    resources = Resources("test", workers, grace_seconds=1.0)
    await resources.open()
    workers[0].is_done.set()
    workers[2].says_goodbye = False
    started = time.monotonic()
    await resources.close()
    assert time.monotonic() - started < 3
    assert journal[-2:] == ["second is closed", "first is closed"]
    assert "second is drained" not in journal


async def test_what_is_not_open_yet_is_not_opened_any_more(workers, journal):
    resources = Resources("test", workers)
    resources.leave()
    await resources.open()
    await resources.close()
    assert journal == []
