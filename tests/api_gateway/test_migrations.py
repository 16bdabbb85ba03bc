"""The migrations make the tables that the code describes."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect

import api_gateway
from api_gateway.models import metadata
from shared.database import Database
from shared.database.migrations import Migrations

FOLDER = Path(api_gateway.__file__).parent / "migrations"


def _is_described(thing, name, kind, _reflected, _compared):
    """Partitions are made at run time, with indexes of their own."""
    table = name if kind == "table" else thing.table.name
    return table in metadata.tables


def _differences(connection):
    options = {"include_object": _is_described, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def _downgrade(connection):
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    command.downgrade(config, "base")
    return inspect(connection).get_table_names()


async def test_an_empty_database_becomes_what_the_code_expects(postgres_url):
    database = Database(postgres_url)
    await Migrations(database, FOLDER).open()
    await Migrations(database, FOLDER).open()
    async with database.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
        partitioned = "SELECT partrelid::regclass::text FROM pg_partitioned_table ORDER BY 1"
        raw = await connection.get_raw_connection()
        rows = await raw.driver_connection.fetch(partitioned)
        assert [row[0] for row in rows] == ["notification_events", "notifications"]
        options = "SELECT reloptions FROM pg_class WHERE relname = 'outbox'"
        assert "fillfactor=70" in await raw.driver_connection.fetchval(options)
    await database.close()


async def test_it_can_be_taken_back(postgres_url):
    database = Database(postgres_url)
    await Migrations(database, FOLDER).open()
    async with database.transaction() as connection:
        assert await connection.run_sync(_downgrade) == ["alembic_version"]
    await database.close()
