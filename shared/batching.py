"""Calls that wait at the same moment are done together; a lone one waits for nobody."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.errors import Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")

Work = Callable[[list[Item]], Awaitable[Sequence[Result | BaseException]]]


class Gatherer(Generic[Item, Result]):
    """Joins single calls into gatherings.

    `work` takes a gathering and returns one result, or one exception, for each item in order; an
    exception that it raises is told to all of them. While `max_running` gatherings are under way,
    later calls wait and form the next one, of at most `max_items`. Where a call's work is quick
    beside what a gathering costs, `every` (seconds) keeps a pace: from the begin of a gathering
    to that of the next. A call that finds `max_waiting` before it raises Overloaded at once.
    """

    def __init__(
        self,
        work: Work[Item, Result],
        *,
        max_items: int = 500,
        max_running: int = 2,
        max_waiting: int = 10_000,
        every: float = 0.0,
    ) -> None:
        self._work = work
        self._max_items = max_items
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._every = every
        self._next_at = 0.0
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._pump_is_due = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def __call__(self, item: Item) -> Result:
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if not self._pump_is_due:
            # Callers that are woken in the same turn of the loop join this gathering.
            self._pump_is_due = True
            loop.call_soon(self._pump)
        return await future

    def _pump(self) -> None:
        self._pump_is_due = False
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._running) < self._max_running:
            if loop.time() < self._next_at:
                self._pump_is_due = True
                loop.call_at(self._next_at, self._pump)
                return
            self._next_at = loop.time() + self._every
            size = min(len(self._waiting), self._max_items)
            gathering = [self._waiting.popleft() for _ in range(size)]
            task = asyncio.create_task(self._do(gathering))
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._pump_is_due:
            self._pump()

    async def _do(self, gathering: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._work([item for item, _ in gathering])
        except BaseException as error:  # noqa: BLE001 - it is told to every caller
            results = [error] * len(gathering)
        for (_, future), result in zip(gathering, results, strict=True):
            if future.done():
                continue
            if isinstance(result, asyncio.CancelledError):
                future.cancel()
            elif isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
