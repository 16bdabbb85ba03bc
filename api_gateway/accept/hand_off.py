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
_MOST_OF_BATCHES = 2000
_MOST_BYTES = 16 * 1024 * 1024
_BATCH = 500
_BEGIN_WITHIN_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    leased_at: float
    message: Written


class HandOff(Background):
    """Between accept and the relay. Bounded: what does not fit waits in the outbox.

    Single sends go first, and batches never take all of the room.
    """

    name = "hand-off"

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay
        self._waiting: deque[_Waiting] = deque()
        self._of_batches: deque[_Waiting] = deque()
        self._bytes = 0
        self._something = asyncio.Event()
        self._nothing = asyncio.Event()
        self._nothing.set()

    def jobs(self) -> Sequence[Job]:
        return (self._work,)

    def has_room(self, number: int) -> bool:
        """Whether so many of a batch would fit now."""
        return (
            len(self._of_batches) + number <= _MOST_OF_BATCHES and self._bytes <= _MOST_BYTES // 2
        )

    def pass_on(self) -> None:
        """What was committed without a lease is the relay's, at once."""
        self._relay.nudge()

    def take(
        self, messages: Sequence[Written], leased_at: float, *, is_batch: bool = False
    ) -> None:
        """Takes what fits; the outbox rows of the rest fall to the relay when their lease ends.

        `leased_at` is `time.monotonic()` from before the rows were committed.
        """
        waiting = self._of_batches if is_batch else self._waiting
        for message in messages:
            size = len(message.body)
            if len(waiting) >= _MOST_WAITING or self._bytes + size > _MOST_BYTES:
                break
            waiting.append(_Waiting(leased_at, message))
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
                    if await self._relay.publish(batch):
                        await self._leave_to_relay(batch)
                except DatabaseUnavailable:
                    self._clear()
            self._nothing.set()

    async def _leave_to_relay(self, batch: list[Written]) -> None:
        """RabbitMQ is away, or a queue full: the relay is the one that waits for it."""
        left = [*batch, *(one.message for one in (*self._waiting, *self._of_batches))]
        self._clear()
        await self._relay.give_back(left)

    def _next(self) -> list[Written]:
        """The next ones that nobody else can be publishing."""
        earliest = time.monotonic() - _BEGIN_WITHIN_SECONDS
        batch: list[Written] = []
        while (waiting := self._waiting or self._of_batches) and len(batch) < _BATCH:
            one = waiting.popleft()
            self._bytes -= len(one.message.body)
            if one.leased_at > earliest:
                batch.append(one.message)
        return batch

    def _clear(self) -> None:
        self._waiting.clear()
        self._of_batches.clear()
        self._bytes = 0
