"""The migrations and the tables in the code say the same."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

import user_service
from shared.database import Database
from shared.database.migrations import Migrations
from user_service.models import metadata


async def test_an_empty_database_becomes_what_the_code_expects(postgres_url: str) -> None:
    folder = Path(str(user_service.__file__)).parent / "migrations"
    database = Database(postgres_url)
    await Migrations(database, folder).open()
    await Migrations(database, folder).open()

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()
