"""Carries recoveries on in the background; any gateway may, and takes over from one that dies."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from api_gateway.memory import Memory
from api_gateway.recovery.batch import Batches
from api_gateway.recovery.recoveries import Job as Recovering
from api_gateway.recovery.recoveries import Recoveries
from shared.background import Background, Job
from shared.errors import BrokerUnavailable, CacheUnavailable, DatabaseUnavailable
from shared.messaging import Link
from shared.messaging.depths import depths
from shared.outbox import Relay
from shared.schemas.recoveries import RecoveryState

log = structlog.get_logger()

_IDLE_SECONDS = 1.0
_EMPTY_SECONDS = 5.0
"""How long all queues must be seen empty: what was in a worker's hands is through by then."""


class RecoveryRunner(Background):
    """One recovery after the other, the oldest first, in batches at its rate."""

    name = "recovery"

    def __init__(
        self, recoveries: Recoveries, batches: Batches, memory: Memory, link: Link, relay: Relay
    ) -> None:
        super().__init__()
        self._recoveries = recoveries
        self._batches = batches
        self._memory = memory
        self._link = link
        self._relay = relay
        self._nudged = asyncio.Event()
        self._empty_since: float | None = None

    def jobs(self) -> Sequence[Job]:
        return (self._run,)

    def nudge(self) -> None:
        """There is a new one."""
        self._nudged.set()

    async def _run(self) -> None:
        while True:
            pause = _IDLE_SECONDS
            with contextlib.suppress(DatabaseUnavailable):
                pause = await self.step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudged.wait()
            self._nudged.clear()

    async def step(self) -> float:
        """Does what can be done now; the seconds until there may be more. DatabaseUnavailable."""
        job = await self._recoveries.unfinished()
        if job is None:
            self._empty_since = None
            return _IDLE_SECONDS
        if job.due_in > 0:
            return min(job.due_in, _IDLE_SECONDS)
        try:
            waiting_for = await self._carry_on(job)
        except CacheUnavailable as error:
            waiting_for = _missing("Redis", error)
        except BrokerUnavailable as error:
            waiting_for = _missing("RabbitMQ", error)
        await self._recoveries.wait(job, waiting_for)
        return _IDLE_SECONDS if waiting_for else 0.0

    async def _carry_on(self, job: Recovering) -> str | None:
        """What it waits for, if it has to."""
        if job.state is RecoveryState.WAITING:
            return await self._begin(job)
        rows = await self._recoveries.next(job)
        if rows:
            await self._batches.do(job, rows)
        elif await self._recoveries.finish(job):
            log.info("recovery finished", recovery=job.id)
        self._relay.nudge()
        return None

    async def _begin(self, job: Recovering) -> str | None:
        if job.restored_from is not None and not await self._is_drained():
            # What RabbitMQ still has is newer than the database: it goes out, and reports, first.
            return "what is left in RabbitMQ to go out"
        knowledge = await self._memory.knowledge(job.restored_from)
        await self._memory.begin_with_broker()
        await self._recoveries.begin(job, knowledge)
        log.info("recovery begins", recovery=job.id)
        return None

    async def _is_drained(self) -> bool:
        """Whether all queues have been empty for a while."""
        if any((await depths(self._link)).values()):
            self._empty_since = None
            return False
        now = time.monotonic()
        if self._empty_since is None:
            self._empty_since = now
        return now - self._empty_since >= _EMPTY_SECONDS


def _missing(name: str, error: Exception) -> str:
    log.warning("a recovery waits", waiting_for=name, detail=str(error))
    return name
