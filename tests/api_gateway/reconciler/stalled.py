"""Notifications that stand still, as accept and the ledger leave them behind."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from api_gateway.columns import columns
from api_gateway.partitions import lowest_id
from shared.cache import Cache
from shared.database import Database
from shared.delivery.claims import complete_since_key
from shared.outbox import statements as outbox
from shared.outbox.rows import outbox_row
from shared.schemas.wire import NotificationMessage
from tests.api_gateway.ledgers import record, report

_ADD = """
INSERT INTO notifications (
    id, mode, user_id, channel, priority, template_id, template_version, variables, metadata,
    status, correlation_id, created_at, updated_at, expires_at
)
SELECT id, 'live', 1, $2, $3, 'bells', 1, '{"name": "Ada"}', '{}', $4, 'test', $5, $5,
       $5::timestamptz + interval '1 day'
FROM unnest($1::uuid[]) AS new(id)
"""


def ago(**age: float) -> datetime:
    return datetime.now(UTC) - timedelta(**age)


def id_of(moment: datetime) -> UUID:
    """A UUIDv7 of that moment."""
    return UUID(int=lowest_id(moment).int | 7 << 76 | 2 << 62 | random.getrandbits(62))


async def add(
    database: Database,
    *,
    count: int = 1,
    channel: str = "email",
    priority: str = "normal",
    status: str = "queued",
    since: datetime | None = None,
) -> list[UUID]:
    """Notifications that were accepted at a moment, ten minutes ago if nothing is said."""
    moment = since or ago(minutes=10)
    ids = sorted(id_of(moment) for _ in range(count))
    async with database.driver() as connection:
        await connection.execute(_ADD, ids, channel, priority, status, moment)
    return ids


async def went_on(database: Database, notification_id: UUID, status: str, **said: Any) -> None:
    """A worker's report nine minutes ago: this hop is over, and another has begun."""
    moment = ago(minutes=9)
    reported = report(notification_id, status, started_at=moment, at=moment, **said)
    await record(database, [reported])


async def put_in_outbox(database: Database, message: NotificationMessage, due: datetime) -> None:
    async with database.driver() as connection:
        await connection.execute(outbox.INSERT, *columns([outbox_row(message, due)]))


async def remember_claims(cache: Cache, since: datetime) -> None:
    """Redis has the claim of every send since then."""
    await cache.command("SET", complete_since_key(cache), int(since.timestamp()))


async def enqueued(database: Database) -> dict[UUID, NotificationMessage]:
    """What stands in the outbox, by notification."""
    async with database.driver() as connection:
        rows: Sequence[Any] = await connection.fetch("SELECT body FROM outbox")
    messages = [NotificationMessage.model_validate_json(row["body"]) for row in rows]
    return {message.id: message for message in messages}
