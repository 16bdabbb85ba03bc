"""Pools of PostgreSQL connections, with one meaning for "cannot be reached"."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.database.drivers import Drivers
from shared.database.failures import is_lost, translated
from shared.database.watch import Watch

Connection = TypeVar("Connection")

_CONNECT_SECONDS = 3.0
_POOL_WAIT_SECONDS = 3.0
_STATEMENT_SECONDS = 5.0


def driver_url(url: str) -> str:
    """The URL as SQLAlchemy wants it, with asyncpg as the driver."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url


class Database:
    """A service's own database. Nothing works without it: it is essential for readiness.

    `pool_size` bounds the connections of each kind: SQLAlchemy's, and bare ones.
    A lost connection is never used again, and one that died in the pool is replaced unnoticed.
    When PostgreSQL hangs, whoever waits is told in two seconds, and everybody else at once.
    """

    essential = True

    def __init__(self, url: str, *, pool_size: int = 8, name: str = "postgres") -> None:
        self.name = name
        self.url = driver_url(url)
        options = {
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _STATEMENT_SECONDS,
            "server_settings": {"application_name": "carillon", "jit": "off"},
        }
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_POOL_WAIT_SECONDS,
            pool_recycle=1800,
            connect_args=options,
        )
        _, address = self.engine.dialect.create_connect_args(self.engine.url)
        self._drivers = Drivers(
            {**address, **options}, size=pool_size, wait_seconds=_POOL_WAIT_SECONDS
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._watch = Watch(self.name, url)

    async def open(self) -> None:
        with translated():
            await self._watch.open()
        await self.ping()

    async def close(self) -> None:
        await self._watch.close()
        await self._drivers.close()
        await self.engine.dispose()

    async def ping(self) -> None:
        async with self.connect() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection in autocommit, for reads and single statements."""
        async with (
            self._reaching(self._autocommit) as connection,
            _dropped_when_lost(connection),
        ):
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back on an exception."""
        # Dropped inside, because there is nothing to roll back on a lost connection; outside,
        # because the commit may lose it.
        async with (
            self._reaching(self.engine) as connection,
            _dropped_when_lost(connection),
            connection.begin(),
            _dropped_when_lost(connection),
        ):
            yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """A bare asyncpg connection in autocommit, for the statements that must be quick."""
        self._watch.check()
        with translated():
            connection = await self._in_time(self._drivers.take)
            try:
                with self._watch.call(connection.terminate):
                    yield connection
            except BaseException as error:
                # Whoever was cancelled may have left an answer on its way.
                if not isinstance(error, Exception) or is_lost(error):
                    connection.terminate()
                raise
            finally:
                self._drivers.give_back(connection)

    @asynccontextmanager
    async def _reaching(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        self._watch.check()
        with translated():
            connection = await self._in_time(engine.connect)
            try:
                raw = await connection.get_raw_connection()
                assert raw.driver_connection is not None  # noqa: S101 - for the type checker
                with self._watch.call(raw.driver_connection.terminate):
                    yield connection
            finally:
                await asyncio.shield(connection.close())

    async def _in_time(self, connect: Callable[[], Awaitable[Connection]]) -> Connection:
        """A connection; what waits for one ends when the watch finds that PostgreSQL hangs."""
        async with asyncio.timeout(None) as deadline:
            with self._watch.call(lambda: deadline.reschedule(0.0)):
                return await connect()
        raise AssertionError  # the deadline raises; for the type checker


@asynccontextmanager
async def _dropped_when_lost(connection: AsyncConnection) -> AsyncIterator[None]:
    """Keeps a connection that was lost, or hangs in a statement, from going back to the pool."""
    try:
        yield
    except BaseException as error:
        if is_lost(error) and not connection.closed and not connection.invalidated:
            raw = await connection.get_raw_connection()
            if raw.driver_connection is not None:
                raw.driver_connection.terminate()
            await connection.invalidate(error)
        raise


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Has the pool replace a connection that died while nobody used it."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
