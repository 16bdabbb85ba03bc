"""The reconciler: enqueues what stands still once more, where nothing can be on its way for it.

It is slow on purpose: it looks once a minute, and a notification is touched only after three
looks. What it enqueues is a copy of the lost message: were that not lost, the claim would keep
one of them from being sent. It gives nothing up.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from api_gateway.memory import Knowledge, Memory
from api_gateway.reconciler.lanes import LANES, Watch, outcomes_are_read
from api_gateway.reconciler.repository import StalledNotifications
from api_gateway.recovery.restoration import Restoration
from shared.background import Background, Job
from shared.delivery.claims import Claims, ClaimState
from shared.errors import (
    BrokerUnavailable,
    CacheUnavailable,
    CarillonError,
    DatabaseUnavailable,
)
from shared.messaging import Link
from shared.messaging.depths import depths
from shared.observability.metrics import REENQUEUED
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()

_BATCH = 500


class Reconciler(Background):
    """Any number may run: one of them holds the right to look.

    A notification stands still when its state has not changed `after` that time. While RabbitMQ or
    Redis does not answer, nothing is known, and nothing is done.
    """

    name = "reconciler"

    def __init__(
        self,
        stalled: StalledNotifications,
        link: Link,
        claims: Claims,
        memory: Memory,
        restoration: Restoration,
        *,
        after: timedelta,
        every: timedelta,
    ) -> None:
        super().__init__()
        self._stalled = stalled
        self._link = link
        self._claims = claims
        self._memory = memory
        self._restoration = restoration
        self._after = after
        self._every = every
        self._holder = uuid4()
        self._watches: dict[str, Watch] = {}
        self._broker_is_known: bool | None = True

    def jobs(self) -> Sequence[Job]:
        return (self._run,)

    async def close(self) -> None:
        await super().close()
        try:
            await self._stalled.let_go(self._holder)
        except DatabaseUnavailable:
            log.debug("another gateway takes over when the time is over")

    async def ping(self) -> None:
        if self._broker_is_known is False:
            raise BrokerUnavailable("RabbitMQ has lost its messages: run ./carillon recover")

    async def _run(self) -> None:
        await self._link.wait()
        while True:
            await self.look()
            await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> None:
        """Looks once."""
        try:
            await self._look()
        except CacheUnavailable as error:
            log.debug("not reconciled", detail=str(error))
        except CarillonError as error:
            log.debug("nothing is known any more of what stands still", detail=str(error))
            self._watches.clear()

    async def _look(self) -> None:
        await self._look_at_broker()
        now = await self._stalled.hold(self._holder, 3 * self._every)
        if now is None or await self._restoration.notice():
            self._watches.clear()
            return
        seen = await depths(self._link)
        if self._broker_is_known and outcomes_are_read(seen):
            await self._memory.outcomes_are_written(now)
        await self._follow(seen)
        await self._begin(now)

    async def _look_at_broker(self) -> None:
        self._broker_is_known = await self._memory.broker_is_known()
        if self._broker_is_known is None:
            await self._memory.begin_with_broker()
            self._broker_is_known = True
        if not self._broker_is_known:
            log.error("rabbitmq has lost its messages: run ./carillon recover")

    async def _follow(self, seen: Mapping[str, int]) -> None:
        """Ends the watches that are over, and notes what a look at the queues says of others."""
        for key, watch in list(self._watches.items()):
            if watch.is_over:
                await self._enqueue(key, watch)
                del self._watches[key]
        since = {key: watch.since for key, watch in self._watches.items()}
        overtaken = await self._stalled.overtaken(since)
        for key, watch in self._watches.items():
            watch.see(key, seen, overtaken)

    async def _begin(self, now: datetime) -> None:
        """Watches the lanes in which something stands still, and nothing is watched yet."""
        wanted = [key for key in LANES if key not in self._watches]
        found = await self._stalled.next(now - self._after, wanted)
        for key, suspects in found.items():
            self._watches[key] = Watch(suspects, now)

    async def _enqueue(self, key: str, watch: Watch) -> None:
        knowledge = await self._memory.knowledge()
        count = 0
        for start in range(0, len(watch.suspects), _BATCH):
            messages = await self._stalled.still(watch.suspects[start : start + _BATCH])
            lost = await self._lost(messages, knowledge)
            await self._stalled.enqueue(lost, watch.since)
            count += len(lost)
        if count:
            log.warning("lost on their way, enqueued once more", lane=key, count=count)
            REENQUEUED.labels(key).inc(count)

    async def _lost(
        self, messages: Sequence[NotificationMessage], knowledge: Knowledge
    ) -> list[NotificationMessage]:
        """Those that no worker has in hand; but for what may have gone out unknown to all."""
        states = await self._claims.states(messages)
        return [
            message
            for message, state in zip(messages, states, strict=True)
            if state is ClaimState.TOLD
            or (state is not ClaimState.LIVE and knowledge.covers(message.created_at))
        ]
