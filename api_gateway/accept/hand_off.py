"""After the answer: the accepting process publishes what it committed, if it keeps up."""

import asyncio
from collections import deque
from collections.abc import Sequence

from shared.background import Background, Job
from shared.errors import DatabaseUnavailable
from shared.outbox import Relay
from shared.schemas.wire import NotificationMessage

_MOST_WAITING = 5000
_BATCH = 500


class HandOff(Background):
    """Between accept and the relay. Bounded: what does not fit waits in the outbox."""

    name = "hand-off"

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay
        self._waiting: deque[NotificationMessage] = deque()
        self._something = asyncio.Event()

    def jobs(self) -> Sequence[Job]:
        return (self._work,)

    def take(self, messages: Sequence[NotificationMessage]) -> None:
        """Takes what fits; the outbox rows of the rest become due for the relay by themselves."""
        room = _MOST_WAITING - len(self._waiting)
        self._waiting.extend(messages[:room])
        self._something.set()

    async def _work(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                size = min(_BATCH, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(size)]
                try:
                    if not await self._relay.publish(batch):
                        self._waiting.clear()
                except DatabaseUnavailable:
                    self._waiting.clear()
