"""The ledger on a migrated database, without a gateway around it."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
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
from shared.schemas.wire import NotificationMessage, OutcomeReport
from tests.shared.broker import notification

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

_ADD = """
INSERT INTO notifications (
    id, mode, user_id, channel, priority, template_id, variables, sensitive, metadata, status,
    correlation_id, created_at, updated_at, expires_at
) VALUES (
    $1, 'live', 1, 'email', 'normal', 'bells', $4, $5, '{}', 'queued', 'test', $2, $2, $3
)
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


async def add_notification(
    database: Database,
    variables: Mapping[str, Any] | None = None,
    sensitive: Sequence[str] | None = (),
) -> UUID:
    """A notification that was accepted at noon."""
    notification_id: UUID = uuid_utils.uuid7()
    given = json.dumps(variables or {})
    async with database.driver() as connection:
        tomorrow = NOON + timedelta(days=1)
        await connection.execute(_ADD, notification_id, NOON, tomorrow, given, sensitive)
    return notification_id


async def add_dead_letter(
    database: Database, *, user_id: int = 1, generation: int = 1, **changes: Any
) -> NotificationMessage:
    """A notification that failed, and its letter."""
    message = notification(user_id=user_id, generation=generation, **changes)
    notification_id = await add_notification(database, message.variables, message.sensitive)
    message = message.model_copy(update={"id": notification_id})
    failed = """
        UPDATE notifications SET status = 'failed', rank = 6, generation = $2, user_id = $3
        WHERE id = $1
    """
    kept = """
        INSERT INTO dead_letters (
            notification_id, generation, user_id, channel, template_id, provider, reason, attempts,
            body
        ) VALUES ($1, $2, $3, 'email', 'bells', 'smtp', 'retries_exhausted', 4, $4)
    """
    async with database.driver() as connection:
        await connection.execute(failed, notification_id, generation, user_id)
        body = message.model_dump_json().encode()
        await connection.execute(kept, notification_id, generation, user_id, body)
    return message


async def record(database: Database, reports: Sequence[OutcomeReport]) -> None:
    async with database.driver() as connection, connection.transaction():
        await ledger.record(connection, reports)


async def redrives(connection: Any) -> list[int]:
    """How often each notification was redriven into its second generation."""
    rows = await connection.fetch("""
        SELECT count(*) FROM notification_events
        WHERE generation = 2 AND status = 'queued' GROUP BY notification_id
    """)
    return [row[0] for row in rows]


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
