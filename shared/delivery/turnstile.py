"""The line in front of a provider that takes so many a second: the most urgent lane goes first."""

import asyncio
import heapq
import itertools
import math
import time
from collections import deque
from collections.abc import Sequence

from shared.background import Background, Job
from shared.cache.pace import Pace
from shared.observability.metrics import RATE_WAIT_SECONDS

_RESERVED_SECONDS = 0.2
"""How much of the pace is reserved at once: less would ask Redis oftener, more would let urgent
ones of other processes wait longer."""

_SHORTEST_PAUSE_SECONDS = 0.005
_LATE_SECONDS = 0.1
"""How late a moment may still be used, or as late as the one after it. What a stall let pass is
lost: used together, it would be a burst."""


class TooLong(Exception):
    """The line is longer than the caller's patience."""


class Turnstile(Background):
    """Lets one after the other through, at the pace that all processes keep together.

    Moments are reserved ahead, for all who wait at that time in one request; who goes through at
    a moment is decided when it has come.
    """

    def __init__(self, name: str, pace: Pace) -> None:
        super().__init__()
        self.name = f"{name}-turnstile"
        self._pace = pace
        self._line: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._somebody_came = asyncio.Event()
        self._waits = RATE_WAIT_SECONDS.labels(name)

    def jobs(self) -> Sequence[Job]:
        return (self._let_through,)

    async def wait(self, urgency: int, *, patience: float) -> None:
        """Returns when it is the caller's turn; 0 is the most urgent.

        Raises TooLong after `patience` seconds, and at once where that is sure to happen.
        """
        before = sum(who <= urgency and not turn.done() for who, _, turn in self._line)
        if before > patience * self._pace.share:
            raise TooLong
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (urgency, next(self._numbers), turn))
        self._somebody_came.set()
        came_at = time.monotonic()
        try:
            async with asyncio.timeout(patience):
                await turn
        except TimeoutError as error:
            raise TooLong from error
        finally:
            self._waits.observe(time.monotonic() - came_at)

    async def _let_through(self) -> None:
        reserved: deque[float] = deque()
        while True:
            self._forget_who_left()
            if not self._line:
                reserved.clear()
                self._somebody_came.clear()
                await self._somebody_came.wait()
                continue
            most = max(2, math.ceil(self._pace.share * _RESERVED_SECONDS))
            wanted = min(len(self._line), most)
            if len(reserved) <= wanted // 2:
                moments = await self._pace.reserve(wanted - len(reserved))
                reserved.extend(moments.granted)
                if not reserved:
                    pause = moments.ask_again_at - time.monotonic()
                    await asyncio.sleep(max(_SHORTEST_PAUSE_SECONDS, pause))
                    continue
            wait = reserved.popleft() - time.monotonic()
            if wait > -max(_LATE_SECONDS, 1 / self._pace.share):
                await asyncio.sleep(max(0.0, wait))
                self._let_next_through()

    def _forget_who_left(self) -> None:
        while self._line and self._line[0][2].done():
            heapq.heappop(self._line)

    def _let_next_through(self) -> None:
        self._forget_who_left()
        if self._line:
            heapq.heappop(self._line)[2].set_result(None)
