"""A PostgreSQL that hangs is noticed within seconds, however long a statement may take.

Slow is not hung: before anything is given up, PostgreSQL is asked on a connection of its own.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg
import structlog

from shared.errors import DatabaseUnavailable
from shared.observability.metrics import BREAKER_OPEN

log = structlog.get_logger()

_PATIENCE_SECONDS = 0.5
_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS, _TURNS = 1.5, 15
"""How long an answer may take, in so many turns of the loop: it may be we who are slow."""

_SILENCE = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)
"""What is no answer. Anything else that comes of a question, an error too, is one."""


class Watch:
    """Knows which calls are under way, and ends them when PostgreSQL does not answer.

    From then on calls are refused at once, until it answers: the watch goes on asking, so that no
    caller has to find out.
    """

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._url = url
        self._calls: dict[object, tuple[float, Callable[[], None]]] = {}
        self._is_away = False
        self._watching: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._gauge = BREAKER_OPEN.labels(name=name)
        self._gauge.set(0)

    async def open(self) -> None:
        """Connects, so that a question costs no more than itself."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS)

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        self._hang_up()

    def check(self) -> None:
        """Raises DatabaseUnavailable while PostgreSQL is known not to answer."""
        if self._is_away:
            raise DatabaseUnavailable("The database does not answer. Try again shortly.")

    @contextmanager
    def call(self, give_up: Callable[[], None]) -> Iterator[None]:
        """Around whatever waits for PostgreSQL; `give_up` ends it when that is in vain."""
        key = object()
        self._calls[key] = (asyncio.get_running_loop().time(), give_up)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            del self._calls[key]

    async def _watch(self) -> None:
        now = asyncio.get_running_loop().time
        while self._calls or self._is_away:
            await asyncio.sleep(_PATIENCE_SECONDS)
            oldest = next((began for began, _ in self._calls.values()), now())
            if self._is_away or oldest < now() - _PATIENCE_SECONDS:
                await self._look(now())

    async def _look(self, asked_at: float) -> None:
        try:
            await self._ask()
        except _SILENCE as error:
            self._hang_up()
            self._note(is_away=True, detail=repr(error))
            for began, give_up in list(self._calls.values()):
                if began <= asked_at:
                    give_up()
        except Exception as error:  # noqa: BLE001 - an answer all the same
            self._hang_up()
            self._note(is_away=False, detail=repr(error))
        else:
            self._note(is_away=False)

    async def _ask(self) -> None:
        await self.open()
        assert self._connection is not None  # noqa: S101 - for the type checker
        answer = asyncio.ensure_future(self._connection.execute("SELECT 1"))
        try:
            for _ in range(_TURNS):
                await asyncio.wait([answer], timeout=_ANSWER_SECONDS / _TURNS)
                if answer.done():
                    answer.result()
                    return
            raise TimeoutError(f"no answer within {_ANSWER_SECONDS:g} s")
        finally:
            if not answer.done():
                self._hang_up()
                await asyncio.gather(answer, return_exceptions=True)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _note(self, *, is_away: bool, detail: str = "") -> None:
        if is_away is not self._is_away:
            self._is_away = is_away
            self._gauge.set(is_away)
            say = log.warning if is_away else log.info
            say(f"{self._name} {'does not answer' if is_away else 'answers again'}", detail=detail)
