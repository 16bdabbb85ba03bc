"""PostgreSQL behind a proxy: what is lost is never used again, and wrong data is no outage."""

import asyncio
import time

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.database import Database, engine, is_refused, together_or_apart
from shared.database.failures import is_lost
from shared.errors import DatabaseUnavailable
from tests.proxy import proxied

NOBODY = "postgresql://nobody:x@127.0.0.1:9/none"


@pytest.fixture
async def proxy_and_database(postgres_url, monkeypatch):
    """Whatever ends soon here, ends because somebody noticed: statements have a minute."""
    for name in ("_CONNECT_SECONDS", "_POOL_WAIT_SECONDS", "_STATEMENT_SECONDS"):
        monkeypatch.setattr(engine, name, 60.0)
    async with proxied(postgres_url) as (proxy, through):
        database = Database(through, pool_size=4)
        await database.open()
        yield proxy, database
        proxy.restore()
        await database.close()


async def one(database):
    async with database.driver() as connection:
        return await connection.fetchval("SELECT 1")


async def at_once(database, number=4):
    return await asyncio.gather(*(one(database) for _ in range(number)))


async def until_back(database):
    async with asyncio.timeout(20):
        while True:
            try:
                return await at_once(database)
            except DatabaseUnavailable:
                await asyncio.sleep(0.02)


async def test_away_is_one_error_at_once():
    database = Database(NOBODY)
    for reach in (database.connect, database.transaction, database.driver):
        with pytest.raises(DatabaseUnavailable):
            async with reach():
                """Never here."""
    await database.close()


async def test_connections_that_died_in_the_pool_are_replaced_unnoticed(proxy_and_database):
    proxy, database = proxy_and_database
    await at_once(database)
    proxy.cut()
    proxy.restore()
    # The loss arrives with the next turns of the loop.
    await asyncio.sleep(0.1)
    assert await at_once(database) == [1, 1, 1, 1]


async def test_a_connection_that_dies_in_use_is_not_used_again(proxy_and_database):
    proxy, database = proxy_and_database
    for reach in (database.driver, database.connect, database.transaction):
        with pytest.raises(DatabaseUnavailable):  # noqa: PT012 - one of several lines loses it
            async with reach() as connection:
                proxy.cut()
                sleep = "SELECT pg_sleep(30)"
                await connection.execute(text(sleep) if reach != database.driver else sleep)
        proxy.restore()
        assert await until_back(database) == [1, 1, 1, 1]


async def test_a_commit_that_cannot_be_told_is_an_error(proxy_and_database):
    proxy, database = proxy_and_database
    with pytest.raises(DatabaseUnavailable):  # noqa: PT012 - the end of the block fails
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1"))
            proxy.cut()
    proxy.restore()
    assert await until_back(database) == [1, 1, 1, 1]


async def told(database):
    """The seconds until a caller was told that there is no database."""
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await one(database)
    return time.monotonic() - started


async def test_when_it_hangs_callers_are_told_soon_and_then_at_once(proxy_and_database):
    proxy, database = proxy_and_database
    await at_once(database)
    proxy.freeze()
    assert max(await asyncio.gather(*(told(database) for _ in range(12)))) < 20
    assert max([await told(database) for _ in range(20)]) < 1
    proxy.restore()
    assert await until_back(database) == [1, 1, 1, 1]


async def test_a_transaction_that_hangs_ends_too(proxy_and_database):
    proxy, database = proxy_and_database

    async def hang(reach):
        async with reach() as connection:
            await connection.execute(text("SELECT 1"))
            proxy.freeze()
            await connection.execute(text("SELECT 1"))

    async def hang_bare():
        async with database.driver() as connection, connection.transaction():
            await connection.execute("SELECT 1")
            proxy.freeze()
            await connection.execute("SELECT 1")

    for hanging in (lambda: hang(database.transaction), lambda: hang(database.connect), hang_bare):
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await hanging()
        assert time.monotonic() - started < 20
        proxy.restore()
        assert await until_back(database) == [1, 1, 1, 1]


async def test_what_is_slow_is_waited_for(postgres_url):
    database = Database(postgres_url)
    async with database.driver() as connection:
        assert await connection.fetchval("SELECT 1 FROM pg_sleep(2.5)") == 1
    await database.close()


async def test_a_statement_that_is_wrong_is_no_outage(postgres_url):
    database = Database(postgres_url)
    for _ in range(10):
        with pytest.raises(DBAPIError):
            async with database.connect() as connection:
                await connection.execute(text("SELECT 1/0"))
    assert await one(database) == 1
    await database.close()


async def test_a_value_that_cannot_be_stored_is_refused_and_no_outage(postgres_url):
    database = Database(postgres_url)
    wrong = [
        ("SELECT $1::int", 2**40),
        ("SELECT $1::text", 7),
        ("SELECT $1::text", "\ud800"),
        ("SELECT $1::text", "\x00"),
        ("SELECT $1::jsonb", '"\\u0000"'),
        ("SELECT $1::jsonb", "Infinity"),
    ]
    for _ in range(3):
        for query, value in wrong:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - what it means is the test
                async with database.driver() as connection:
                    await connection.fetchval(query, value)
            assert is_refused(caught.value), (query, caught.value)
            assert not is_lost(caught.value)
    assert await one(database) == 1
    await database.close()


async def test_an_error_of_the_block_passes_and_rolls_back(postgres_url):
    database = Database(postgres_url)
    async with database.driver() as connection:
        await connection.execute("CREATE TABLE t (n int)")
    with pytest.raises(KeyError):  # noqa: PT012 - something was done before
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
            raise KeyError
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO t VALUES (2)"))
    async with database.driver() as connection:
        assert [row[0] for row in await connection.fetch("SELECT n FROM t")] == [2]
    await database.close()


async def test_too_many_at_once_wait_for_each_other(postgres_url):
    database = Database(postgres_url, pool_size=2)
    assert await at_once(database, 50) == [1] * 50
    await database.close()


async def test_items_are_written_together_and_apart_only_after_a_failure():
    sizes = []

    async def write(items):
        sizes.append(len(items))
        if "bad" in items:
            raise asyncpg.DataError("bad")
        return [item.upper() for item in items]

    assert await together_or_apart(["a", "b"], write) == ["A", "B"]
    assert sizes == [2]
    first, bad, last = await together_or_apart(["a", "bad", "b"], write)
    assert (first, last) == ("A", "B")
    assert is_refused(bad)
    assert sizes == [2, 3, 1, 1, 1]
    [bad] = await together_or_apart(["bad"], write)
    assert isinstance(bad, asyncpg.DataError)

    async def away(_items):
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable):
        await together_or_apart(["a", "b"], away)
