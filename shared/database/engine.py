"""One pool of PostgreSQL connections, with one meaning for "cannot be reached"."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.errors import DatabaseUnavailable

_CONNECT_SECONDS = 3.0
_POOL_WAIT_SECONDS = 3.0
_STATEMENT_SECONDS = 15.0

_LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    PoolTimeout,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.InternalClientError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
)


def driver_url(url: str) -> str:
    """The URL as SQLAlchemy wants it, with asyncpg as the driver."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url


class Database:
    """A service's own database. Nothing works without it: it is essential for readiness."""

    name = "postgres"
    essential = True

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.engine: AsyncEngine = create_async_engine(
            driver_url(url),
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
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")

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
        with translated():
            async with self._autocommit.connect() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back on an exception."""
        with translated():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """A bare asyncpg connection in autocommit, for the statements that must be quick."""
        async with self.connect() as connection:
            raw = await connection.get_raw_connection()
            yield raw.driver_connection


class translated:  # noqa: N801 - reads as a statement: `with translated():`
    """Turns "PostgreSQL is not there" into DatabaseUnavailable; lets everything else pass."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and is_lost(error):
            raise DatabaseUnavailable(
                "The database cannot be reached at the moment. Try again shortly."
            ) from error


def is_lost(error: BaseException) -> bool:
    """Whether the error says that the database is away, and not that the statement is wrong."""
    if isinstance(error, DBAPIError):
        cause = error.driver_exception if hasattr(error, "driver_exception") else error.orig
        return error.connection_invalidated or (cause is not None and _is_lost_cause(cause))
    return isinstance(error, _LOST)


def _is_lost_cause(cause: BaseException) -> bool:
    return isinstance(cause, _LOST) or isinstance(cause.__cause__, _LOST)
