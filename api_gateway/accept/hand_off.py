"""After the answer: the accepting process publishes what it committed, if it keeps up."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta

from shared.background import Background, Job
from shared.errors import DatabaseUnavailable
from shared.outbox import Relay
from shared.schemas.wire import NotificationMessage

HAND_OFF_LEASE = timedelta(seconds=10)
"""How long the accepting process has the outbox rows to itself before the relay takes them."""

CONFIRM_SECONDS = 5.0
"""How long RabbitMQ has for its confirm. What begins in time is over before the lease is."""

_MOST_WAITING = 5000
_BATCH = 500
_BEGIN_WITHIN_SECONDS = 4.0


class HandOff(Background):
    """Between accept and the relay. Bounded: what does not fit waits in the outbox."""

    name = "hand-off"

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay
        self._waiting: deque[tuple[float, NotificationMessage]] = deque()
        self._something = asyncio.Event()

    def jobs(self) -> Sequence[Job]:
        return (self._work,)

    def take(self, messages: Sequence[NotificationMessage], leased_at: float) -> None:
        """Takes what fits; the outbox rows of the rest fall to the relay when their lease ends.

        `leased_at` is `time.monotonic()` from before the rows were committed.
        """
        room = _MOST_WAITING - len(self._waiting)
        self._waiting.extend((leased_at, message) for message in messages[:room])
        self._something.set()

    async def _work(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while batch := self._next():
                try:
                    if not await self._relay.publish(batch):
                        await self._leave_to_relay(batch)
                except DatabaseUnavailable:
                    self._waiting.clear()

    async def _leave_to_relay(self, batch: list[NotificationMessage]) -> None:
        """RabbitMQ is away: the relay is the one that waits for it."""
        left = [*batch, *(message for _, message in self._waiting)]
        self._waiting.clear()
        await self._relay.give_back(left)

    def _next(self) -> list[NotificationMessage]:
        """The next ones that nobody else can be publishing."""
        earliest = time.monotonic() - _BEGIN_WITHIN_SECONDS
        batch: list[NotificationMessage] = []
        while self._waiting and len(batch) < _BATCH:
            leased_at, message = self._waiting.popleft()
            if leased_at > earliest:
                batch.append(message)
        return batch
