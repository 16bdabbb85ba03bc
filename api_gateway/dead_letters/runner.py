"""Carries jobs on in the background; any gateway may, and one that dies is taken over from."""

import asyncio
import contextlib
from collections.abc import Sequence

from api_gateway.dead_letters.jobs import DeadLetterJobs
from shared.background import Background, Job
from shared.errors import DatabaseUnavailable
from shared.observability.metrics import NOTIFICATIONS
from shared.outbox import Relay
from shared.schemas.vocabulary import Status

_IDLE_SECONDS = 2.0
_LEAST_SECONDS = 0.01


class JobRunner(Background):
    """Does each job's batches when they are due."""

    name = "dead-letter-jobs"

    def __init__(self, jobs: DeadLetterJobs, relay: Relay) -> None:
        super().__init__()
        self._jobs = jobs
        self._relay = relay
        self._nudged = asyncio.Event()

    def jobs(self) -> Sequence[Job]:
        return (self._run,)

    def nudge(self) -> None:
        """There is a new job."""
        self._nudged.set()

    async def _run(self) -> None:
        while True:
            pause = _IDLE_SECONDS
            with contextlib.suppress(DatabaseUnavailable):
                pause = await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudged.wait()
            self._nudged.clear()

    async def _look(self) -> float:
        """Does what is due; the seconds until something is again."""
        while (due_in := await self._jobs.due_in()) is not None:
            if due_in > 0:
                return min(due_in, _IDLE_SECONDS)
            sent = await self._jobs.advance()
            if sent is None:
                return _LEAST_SECONDS  # another gateway has it in hand
            for message in sent:
                NOTIFICATIONS.labels(message.channel, Status.QUEUED, "").inc()
            if sent:
                self._relay.nudge()
        return _IDLE_SECONDS
