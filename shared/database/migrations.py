"""Alembic at start: any number of copies may start at once, one of them upgrades."""

import asyncio
from pathlib import Path

from sqlalchemy import Connection, MetaData, NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.database.engine import Database
from shared.database.failures import translated

_LOCK = 0x43_41_52_49_4C_4C_4F_4E  # "CARILLON" as a 64-bit advisory lock


class Migrations:
    """Brings a service's tables to the newest revision when the service opens."""

    name = "migrations"
    essential = True

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._done = False

    async def open(self) -> None:
        # Not from the pool: making a large index may take longer than any other statement.
        patient = create_async_engine(self._database.url, poolclass=NullPool)
        with translated():
            async with patient.connect() as connection:
                await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
                await connection.commit()
                try:
                    await connection.run_sync(self._upgrade)
                    await connection.commit()
                finally:
                    unlock = text("SELECT pg_advisory_unlock(:key)")
                    await asyncio.shield(connection.execute(unlock, {"key": _LOCK}))
        self._done = True

    async def close(self) -> None: ...

    async def ping(self) -> None:
        if not self._done:
            raise RuntimeError("the tables are not at the newest revision yet")

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command  # noqa: PLC0415 - needed once, and not light
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(self._folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def run_environment(metadata: MetaData) -> None:
    """The whole of a service's `migrations/env.py`."""
    from alembic import context  # noqa: PLC0415 - exists only while Alembic runs

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
