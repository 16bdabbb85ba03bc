"""Migrations at start: any number of copies at once, one upgrade; a broken one leaves nothing."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from shared.database import Database
from shared.database.migrations import Migrations
from shared.errors import DatabaseUnavailable

ENV = """
from sqlalchemy import MetaData
from shared.database.migrations import run_environment
run_environment(MetaData())
"""

VERSION = """
from alembic import op
revision = "{revision}"
down_revision = {before!r}
def upgrade():
    for statement in {statements}:
        op.execute(statement)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV)
    return tmp_path


def write(folder, revision, before, *statements):
    text = VERSION.format(revision=revision, before=before, statements=statements)
    (folder / "versions" / f"{revision}.py").write_text(text)


async def names(database):
    async with database.driver() as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        return [row[0] for row in await connection.fetch(query)]


async def test_copies_that_start_at_once_upgrade_once(postgres_url, folder):
    write(folder, "0001", None, "CREATE TABLE one (n int)")
    databases = [Database(postgres_url) for _ in range(4)]
    copies = [Migrations(database, folder) for database in databases]
    with pytest.raises(RuntimeError):
        await copies[0].ping()
    await asyncio.gather(*(copy.open() for copy in copies))
    for copy in copies:
        await copy.ping()
    write(folder, "0002", "0001", "CREATE TABLE two (n int)")
    await copies[0].open()
    assert await names(databases[0]) == ["alembic_version", "one", "two"]
    for database in databases:
        await database.close()


async def test_a_broken_one_leaves_nothing_and_frees_the_lock(postgres_url, folder):
    write(folder, "0001", None, "CREATE TABLE one (n int)", "SELECT nonsense")
    database = Database(postgres_url)
    with pytest.raises(ProgrammingError):
        await Migrations(database, folder).open()
    assert await names(database) == []
    write(folder, "0001", None, "CREATE TABLE one (n int)")
    async with asyncio.timeout(10):
        await Migrations(database, folder).open()
    assert await names(database) == ["alembic_version", "one"]
    async with database.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM one"))).scalar_one() == 0
    await database.close()


async def test_without_postgresql_it_says_so(folder):
    database = Database("postgresql://nobody:x@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable):
        await Migrations(database, folder).open()
    await database.close()
