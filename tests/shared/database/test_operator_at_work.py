"""An operator is at work on the database: it is away, and nothing is wrong with the statements."""

import asyncpg
import pytest

from shared.database import Database
from shared.errors import DatabaseUnavailable


@pytest.fixture
async def database(postgres_url):
    database = Database(postgres_url)
    yield database
    await database.close()


@pytest.fixture
async def moved(postgres_url):
    """The URL of a database that was renamed meanwhile, as for restoring a backup."""
    head, name = postgres_url.rsplit("/", 1)
    return f"{head}/{name}_away"


async def ask(database):
    async with database.driver() as connection:
        return await connection.fetchval("SELECT 1")


async def ask_through_the_pool(database):
    async with database.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")


async def read_impatiently(database):
    async with database.driver() as connection:
        await connection.execute("SET lock_timeout = '50ms'")
        return await connection.fetch("SELECT * FROM held")


@pytest.mark.parametrize("asked", [ask, ask_through_the_pool])
async def test_a_database_that_was_renamed_is_away(moved, asked):
    database = Database(moved)
    with pytest.raises(DatabaseUnavailable):
        await asked(database)
    await database.close()


async def test_a_lock_that_is_waited_for_too_long_is_no_error_of_the_statement(
    database, postgres_url
):
    other = await asyncpg.connect(postgres_url)
    await other.execute("CREATE TABLE held (id int)")
    async with other.transaction():
        await other.execute("LOCK TABLE held")
        with pytest.raises(DatabaseUnavailable):
            await read_impatiently(database)
    await other.close()
