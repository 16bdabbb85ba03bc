"""Work that goes on while a service runs: started with it, ended with it, restarted after a bug."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

log = structlog.get_logger()

Job = Callable[[], Awaitable[None]]

_PAUSE_AFTER_A_BUG_SECONDS = 1.0


class Background:
    """A resource whose `jobs` run for ever in tasks of their own.

    A job that raises has a bug: the trace is logged, and the job starts anew after a pause.
    """

    name: str
    essential = False

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def jobs(self) -> Sequence[Job]:
        """The jobs; each is a coroutine function that does not return."""
        return ()

    async def open(self) -> None:
        self._tasks = [asyncio.create_task(self._forever(job)) for job in self.jobs()]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _forever(self, job: Job) -> None:
        while True:
            try:
                await job()
            except asyncio.CancelledError:
                if is_ending():
                    raise
                log.exception("background work was cancelled from within", work=self.name)
            except Exception:
                log.exception("background work met a bug", work=self.name)
            await asyncio.sleep(_PAUSE_AFTER_A_BUG_SECONDS)


def is_ending() -> bool:
    """Whether somebody asked the running task to end.

    aiormq cancels its own futures when a connection breaks: whoever awaits one of them meets a
    CancelledError that is none of his, and must not end by it.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
