"""What clients see of batches."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from api_gateway.batches import statements
from api_gateway.in_flight import UNDER_WAY
from shared.database import Database
from shared.schemas.batches import Batch, BatchState, BatchSummary, ReasonCount
from shared.schemas.vocabulary import Reason, Status


class BatchReader:
    """Queries on batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, batch_id: UUID) -> Batch | None:
        async with self._database.driver() as connection:
            # In this order: what is finished meanwhile is counted whole.
            row = await connection.fetchrow(statements.STANDING, batch_id)
            counts = await connection.fetch(statements.COUNTS, batch_id) if row else []
        if row is None:
            return None
        statuses, reasons = Counter[Status](), Counter[Reason]()
        for one in counts:
            statuses[Status(one["status"])] += one["count"]
            if one["reason"]:
                reasons[Reason(one["reason"])] += one["count"]
        return Batch(
            **_summary(row, statuses.total()),
            state=_state(row, statuses),
            statuses=dict(statuses.most_common()),
            reasons=[
                ReasonCount(reason=reason, meaning=reason.meaning, count=count)
                for reason, count in reasons.most_common()
            ],
        )

    async def list(self, *, before: UUID | None, limit: int) -> Sequence[BatchSummary]:
        """Newest first."""
        async with self._database.driver() as connection:
            rows = await connection.fetch(statements.PAGE, before, limit)
        return [BatchSummary(**_summary(row, row["so_far"])) for row in rows]


def _summary(row: Any, so_far: int) -> dict[str, Any]:
    names = ("mode", "total", "replayed", "refused_why", "correlation_id")
    return {
        **{name: row[name] for name in (*names, "created_at", "cancelled_at")},
        "batch_id": row["id"],
        "accepted": so_far if row["accepted"] is None else row["accepted"],
        "refused": sum(row["refused_why"].values()),
    }


def _state(row: Any, statuses: Counter[Status]) -> BatchState:
    is_over = not any(statuses[status] for status in UNDER_WAY)
    if row["cancelled_at"] is not None:
        return BatchState.CANCELLED if is_over else BatchState.CANCELLING
    if row["state"] == BatchState.ACCEPTING:
        return BatchState.ACCEPTING if row["is_held"] else BatchState.INTERRUPTED
    return BatchState.FINISHED if is_over else BatchState.RUNNING
