"""Cancelling a batch: nothing of it is accepted, published or begun any more.

Three places, each by what rules there: the batch's row ends its taking up; what waits in the
outbox is taken out of it, and is final at once; what waits in the queues is refused its licence
when a worker comes to it, and final then. What was begun is not called back.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import structlog

from api_gateway.batches import statements
from api_gateway.status import ledger
from shared.database import Database
from shared.delivery.cancelled import CancelledBatches
from shared.errors import CacheUnavailable
from shared.messaging.addressed import NewerVersion, Unreadable, read_notification
from shared.schemas.vocabulary import Reason, Status
from shared.schemas.wire import OutcomeReport

log = structlog.get_logger()

_AT_ONCE = 500


class Cancellation:
    """Cancels batches; doing so again does what is left."""

    def __init__(self, database: Database, cancelled: CancelledBatches) -> None:
        self._database = database
        self._cancelled = cancelled

    async def cancel(self, batch_id: UUID) -> tuple[int, bool] | None:
        """How many were taken out of the outbox, and whether the workers were told.

        None when there is no such batch.
        """
        async with self._database.driver() as connection:
            if await connection.fetchrow(statements.CANCEL, batch_id) is None:
                return None
        # First the workers: what is published from here on is refused.
        is_told = await self._tell(batch_id)
        taken = 0
        while batch := await self._take_out(batch_id):
            taken += batch
        return taken, is_told

    async def _tell(self, batch_id: UUID) -> bool:
        try:
            await self._cancelled.tell(batch_id)
        except CacheUnavailable as error:
            log.warning("workers not told of a cancelled batch", detail=str(error))
            return False
        return True

    async def _take_out(self, batch_id: UUID) -> int:
        async with self._database.driver() as connection, connection.transaction():
            rows = await connection.fetch(statements.TAKE_OUT, batch_id, _AT_ONCE)
            now = datetime.now(UTC)
            await ledger.record(connection, [_report(row, now) for row in rows])
        return len(rows)


def _report(row: Any, now: datetime) -> OutcomeReport:
    notification_id, generation, hop = row["notification_id"], row["generation"], row["hop"]
    return OutcomeReport(
        event_id=uuid5(notification_id, f"{generation}:{hop}:cancelled"),
        notification_id=notification_id,
        generation=generation,
        hop=hop,
        attempt=_attempt(row["body"]),
        status=Status.CANCELLED,
        reason=Reason.CANCELLED,
        detail="its batch was cancelled",
        at=now,
    )


def _attempt(body: bytes) -> int:
    try:
        return read_notification(body).attempt
    except (Unreadable, NewerVersion):
        return 1
