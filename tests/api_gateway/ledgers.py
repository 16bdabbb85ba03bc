"""The ledger on a migrated database, without a gateway around it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import uuid_utils.compat as uuid_utils

import api_gateway
from api_gateway.status import ledger
from shared.database import Database
from shared.database.migrations import Migrations
from shared.schemas.vocabulary import Status
from shared.schemas.wire import OutcomeReport

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

_ADD = """
INSERT INTO notifications (
    id, mode, user_id, channel, priority, template_id, variables, metadata, status,
    correlation_id, created_at, updated_at, expires_at
) VALUES ($1, 'live', 1, 'email', 'normal', 'bells', '{}', '{}', 'queued', 'test', $2, $2, $3)
"""


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Database]:
    """A database with the gateway's tables."""
    database = Database(url)
    await Migrations(database, Path(str(api_gateway.__file__)).parent / "migrations").open()
    try:
        yield database
    finally:
        await database.close()


async def add_notification(database: Database) -> UUID:
    """A notification that was accepted at noon."""
    notification_id: UUID = uuid_utils.uuid7()
    async with database.driver() as connection:
        await connection.execute(_ADD, notification_id, NOON, NOON + timedelta(days=1))
    return notification_id


async def record(database: Database, reports: Sequence[OutcomeReport]) -> None:
    async with database.driver() as connection, connection.transaction():
        await ledger.record(connection, reports)


async def row_of(database: Database, notification_id: UUID) -> dict[str, Any]:
    async with database.driver() as connection:
        query = "SELECT * FROM notifications WHERE id = $1"
        return dict(await connection.fetchrow(query, notification_id))


def report(notification_id: UUID, status: Status | str, **changes: Any) -> OutcomeReport:
    """An outcome of the first hop."""
    usual = {
        "event_id": uuid4(),
        "notification_id": notification_id,
        "generation": 1,
        "hop": 1,
        "attempt": 1,
        "status": status,
        "at": NOON + timedelta(seconds=1),
    }
    return OutcomeReport.model_validate({**usual, **changes})
