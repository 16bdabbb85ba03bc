"""One pool of PostgreSQL connections, with one meaning for "cannot be reached"."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.database.failures import is_lost, translated
from shared.errors import DatabaseUnavailable
from shared.resilience.breaker import Breaker

_CONNECT_SECONDS = 3.0
_POOL_WAIT_SECONDS = 3.0
_STATEMENT_SECONDS = 5.0
_FAILURES, _RECOVERY_SECONDS = 3, 1.0


def driver_url(url: str) -> str:
    """The URL as SQLAlchemy wants it, with asyncpg as the driver."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url


class Database:
    """A service's own database. Nothing works without it: it is essential for readiness.

    A lost connection is never used again, and one that died in the pool is replaced unnoticed.
    While PostgreSQL hangs, callers are told so at once, but for one each second that tries.
    """

    name = "postgres"
    essential = True

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = driver_url(url)
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_POOL_WAIT_SECONDS,
            pool_recycle=1800,
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "command_timeout": _STATEMENT_SECONDS,
                "server_settings": {"application_name": "carillon", "jit": "off"},
            },
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._breaker = Breaker(
            self.name,
            failures=_FAILURES,
            recovery_seconds=_RECOVERY_SECONDS,
            counts=(DatabaseUnavailable,),
        )

    async def open(self) -> None:
        await self.ping()

    async def close(self) -> None:
        await self.engine.dispose()

    async def ping(self) -> None:
        async with self.connect() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection in autocommit, for reads and single statements."""
        async with (
            self._reaching(),
            self._autocommit.connect() as connection,
            _dropped_when_lost(connection),
        ):
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back on an exception."""
        # Dropped inside, because there is nothing to roll back on a lost connection; outside,
        # because the commit may lose it.
        async with (
            self._reaching(),
            self.engine.connect() as connection,
            _dropped_when_lost(connection),
            connection.begin(),
            _dropped_when_lost(connection),
        ):
            yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """A bare asyncpg connection in autocommit, for the statements that must be quick."""
        async with self.connect() as connection:
            raw = await connection.get_raw_connection()
            yield raw.driver_connection

    @asynccontextmanager
    async def _reaching(self) -> AsyncIterator[None]:
        with translated():
            async with self._breaker.guard():
                with translated():
                    yield


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
