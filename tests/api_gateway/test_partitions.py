"""Months: made ahead, taken by ids of their time; the default takes the rest."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from api_gateway.partitions import TABLES, Partitions, lowest_id, months
from tests.api_gateway.ledgers import NOON, migrated

ADD = """
INSERT INTO notifications (
    id, mode, user_id, channel, priority, template_id, variables, metadata, status,
    correlation_id, created_at, updated_at, expires_at
) VALUES ($1, 'live', 1, 'email', 'normal', 'bells', '{}', '{}', 'queued', 'x', $2, $2, $2)
RETURNING tableoid::regclass::text
"""
NAMES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::regclass"


def id_of(instant):
    """A UUIDv7 of that instant."""
    version_and_variant = 7 << 76 | 2 << 62
    return UUID(int=lowest_id(instant).int | version_and_variant | secrets.randbits(62))


async def place(database, instant):
    """The table where a notification of that instant lands."""
    async with database.driver() as connection:
        return await connection.fetchval(ADD, id_of(instant), NOON)


async def names(database, table):
    async with database.driver() as connection:
        query = NAMES.replace("$1", f"'{table}'")
        rows = await connection.fetch(query)
        return {row[0] for row in rows if not row[0].endswith("_pkey")}


@pytest.fixture
async def database(postgres_url):
    async with migrated(postgres_url) as database:
        yield database


def test_months_follow_each_other_over_the_year():
    found = list(months(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), 3))
    assert [first.strftime("%Y-%m-%d") for first, _ in found] == [
        "2026-11-01",
        "2026-12-01",
        "2027-01-01",
    ]
    assert [end for _, end in found[:2]] == [first for first, _ in found[1:]]


def test_the_lowest_id_is_below_every_id_of_its_instant():
    instant = datetime(2026, 12, 1, tzinfo=UTC)
    assert lowest_id(instant) < id_of(instant) < lowest_id(instant + timedelta(milliseconds=1))
    assert id_of(instant - timedelta(milliseconds=1)) < lowest_id(instant)
    made = uuid_utils.uuid7()
    assert lowest_id(datetime.now(UTC) - timedelta(minutes=1)) < made
    assert made < lowest_id(datetime.now(UTC) + timedelta(minutes=1))


async def test_rows_land_in_their_month_and_else_in_the_default(database):
    await Partitions(database).make(NOON)
    first = datetime(2026, 12, 1, tzinfo=UTC)
    assert await place(database, NOON) == "notifications_2026_11"
    assert await place(database, first - timedelta(milliseconds=1)) == "notifications_2026_11"
    assert await place(database, first) == "notifications_2026_12"
    assert await place(database, datetime(2026, 10, 31, tzinfo=UTC)) == "notifications_default"
    assert await place(database, datetime(2029, 1, 1, tzinfo=UTC)) == "notifications_default"


async def test_making_again_and_at_once_changes_nothing(database):
    makers = [Partitions(database) for _ in range(6)]
    await asyncio.gather(*(maker.make(NOON) for maker in makers))
    await makers[0].make(NOON)
    for table in TABLES:
        expected = {f"{table}_{month}" for month in ("2026_11", "2026_12", "2027_01", "default")}
        assert await names(database, table) == expected
    await makers[0].make(NOON + timedelta(days=31))
    assert "notifications_2027_02" in await names(database, "notifications")


async def test_a_month_that_the_default_has_already_stops_nobody(database):
    assert await place(database, datetime(2026, 12, 5, tzinfo=UTC)) == "notifications_default"
    await Partitions(database).make(NOON)
    assert await names(database, "notifications") == {
        "notifications_2026_11",
        "notifications_2027_01",
        "notifications_default",
    }
    assert await place(database, datetime(2026, 12, 6, tzinfo=UTC)) == "notifications_default"
