"""After the answer: the accepting process publishes what it committed, if it keeps up."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.background import Background, Job
from shared.errors import DatabaseUnavailable
from shared.outbox import Relay, Written

HAND_OFF_LEASE = timedelta(seconds=10)
"""How long the accepting process has the outbox rows to itself before the relay takes them."""

CONFIRM_SECONDS = 5.0
"""How long RabbitMQ has for its confirm. What begins in time is over before the lease is."""

_MOST_WAITING = 5000
_MOST_BYTES = 16 * 1024 * 1024
_BATCH = 500
_BEGIN_WITHIN_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    leased_at: float
    message: Written


class HandOff(Background):
    """Between accept and the relay. Bounded: what does not fit waits in the outbox."""

    name = "hand-off"

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._something = asyncio.Event()
        self._nothing = asyncio.Event()
        self._nothing.set()

    def jobs(self) -> Sequence[Job]:
        return (self._work,)

    def take(self, messages: Sequence[Written], leased_at: float) -> None:
        """Takes what fits; the outbox rows of the rest fall to the relay when their lease ends.

        `leased_at` is `time.monotonic()` from before the rows were committed.
        """
        for message in messages:
            size = len(message.body)
            if len(self._waiting) >= _MOST_WAITING or self._bytes + size > _MOST_BYTES:
                break
            self._waiting.append(_Waiting(leased_at, message))
            self._bytes += size
        self._nothing.clear()
        self._something.set()

    async def close(self) -> None:
        """Publishes what waits. If RabbitMQ does not take it in time, the relay will find it."""
        try:
            await self._nothing.wait()
        finally:
            await super().close()

    async def _work(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while batch := self._next():
                try:
                    if not await self._relay.publish(batch):
                        await self._leave_to_relay(batch)
                except DatabaseUnavailable:
                    self._clear()
            self._nothing.set()

    async def _leave_to_relay(self, batch: list[Written]) -> None:
        """RabbitMQ is away: the relay is the one that waits for it."""
        left = [*batch, *(one.message for one in self._waiting)]
        self._clear()
        await self._relay.give_back(left)

    def _next(self) -> list[Written]:
        """The next ones that nobody else can be publishing."""
        earliest = time.monotonic() - _BEGIN_WITHIN_SECONDS
        batch: list[Written] = []
        while self._waiting and len(batch) < _BATCH:
            one = self._waiting.popleft()
            self._bytes -= len(one.message.body)
            if one.leased_at > earliest:
                batch.append(one.message)
        return batch

    def _clear(self) -> None:
        self._waiting.clear()
        self._bytes = 0
