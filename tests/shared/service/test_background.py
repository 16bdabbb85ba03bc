"""Background work goes on: after a bug, and after a library's own cancellations."""

import asyncio

from shared.background import Background


class Work(Background):
    """Fails in turn with what it is given, then works."""

    name = "work"

    def __init__(self, *failures):
        super().__init__()
        self.failures = list(failures)
        self.works = asyncio.Event()
        self.ended = False

    def jobs(self):
        return (self._job,)

    async def _job(self):
        if self.failures:
            raise self.failures.pop(0)
        self.works.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def test_it_survives_bugs_and_cancellations_that_are_not_its_own(monkeypatch):
    monkeypatch.setattr("shared.background._PAUSE_AFTER_A_BUG_SECONDS", 0.0)
    work = Work(KeyError("bug"), asyncio.CancelledError(), OSError("away"))
    await work.open()
    async with asyncio.timeout(5):
        await work.works.wait()
    await work.close()
    assert work.ended


async def test_it_ends_when_it_is_told_to():
    work = Work()
    await work.open()
    await work.works.wait()
    async with asyncio.timeout(5):
        await work.close()
    assert work.ended
