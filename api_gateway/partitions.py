"""Partitions by month, made ahead of time: an id begins with its time (UUIDv7, RFC 9562)."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared.background import Background, Job
from shared.database import Database
from shared.errors import DatabaseUnavailable

log = structlog.get_logger()

TABLES = ("notifications", "notification_events")

_MONTHS_AHEAD = 3
_LOOK_SECONDS = 6 * 3600.0
_LOCK = 0x43_41_52_50_41_52_54


def months(start: datetime, count: int) -> Iterator[tuple[datetime, datetime]]:
    """`count` months, each as its first instant and the next one's, from the month of `start`."""
    year, month = start.year, start.month
    for _ in range(count):
        following = (year + month // 12, month % 12 + 1)
        yield datetime(year, month, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)
        year, month = following


def lowest_id(instant: datetime) -> UUID:
    """The lowest UUIDv7 of an instant: its first 48 bits are milliseconds of Unix time."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)


class Partitions(Background):
    """Keeps this month's partitions and those of the next ones in place."""

    name = "partitions"
    essential = True

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def jobs(self) -> Sequence[Job]:
        return (self._keep,)

    async def open(self) -> None:
        await self.make(datetime.now(UTC))
        await super().open()

    async def make(self, now: datetime) -> None:
        """Makes the partitions that are missing.

        Rows of a month that are in the default partition already keep that month there.
        """
        for first, following in months(now, _MONTHS_AHEAD):
            for table in TABLES:
                try:
                    await self._make(table, first, following)
                except IntegrityError:
                    log.error(
                        "the default partition holds rows", table=table, month=f"{first:%Y-%m}"
                    )

    async def _make(self, table: str, first: datetime, following: datetime) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {table}_{first:%Y_%m} PARTITION OF {table} "
                    f"FOR VALUES FROM ('{lowest_id(first)}') TO ('{lowest_id(following)}')"
                )
            )

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.make(datetime.now(UTC))
            except DatabaseUnavailable:
                continue
            except Exception:
                # What no partition takes goes to the default one: nothing is lost meanwhile.
                log.exception("could not make partitions ahead")
