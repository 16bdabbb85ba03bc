"""The migrations make the tables that the code describes."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import template_service
from shared.database import Database
from shared.database.migrations import Migrations
from template_service.models import metadata


async def test_migrated_from_empty_the_tables_are_as_described(postgres_url):
    database = Database(postgres_url)
    folder = Path(template_service.__file__).parent / "migrations"
    await Migrations(database, folder).open()
    await Migrations(database, folder).open()
    async with database.engine.connect() as connection:
        differences = await connection.run_sync(
            lambda plain: compare_metadata(MigrationContext.configure(plain), metadata)
        )
    await database.close()
    assert differences == []
