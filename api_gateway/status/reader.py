"""What clients see of notifications."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from api_gateway.models import notifications
from api_gateway.status import statements
from shared.database import Database
from shared.masking import masked
from shared.schemas.notifications import Notification, NotificationDetail, TimelineEntry
from shared.schemas.vocabulary import Channel, Reason, Status


class NotificationReader:
    """Queries on notifications and their timelines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, request_id: UUID) -> NotificationDetail | None:
        async with self._database.driver() as connection:
            row = await connection.fetchrow(statements.ONE, request_id)
            if row is None:
                return None
            events = await connection.fetch(statements.EVENTS, request_id)
        shown = _shown(row)
        return NotificationDetail(
            **shown.model_dump(),
            variables=masked(row["variables"], row["sensitive"]),
            timeline=_timeline(row, events),
        )

    async def list(
        self,
        *,
        user_id: int | None,
        status: Status | None,
        channel: Channel | None,
        batch_id: UUID | None = None,
        before: UUID | None,
        limit: int,
    ) -> list[Notification]:
        """Newest first."""
        table = notifications.c
        query = select(notifications).order_by(table.id.desc()).limit(limit)
        for column, value in (
            (table.user_id, user_id),
            (table.status, status),
            (table.channel, channel),
            (table.batch_id, batch_id),
        ):
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(table.id < before)
        async with self._database.connect() as connection:
            rows = await connection.execute(query)
            return [_shown(row._mapping) for row in rows]  # noqa: SLF001


def _shown(row: Any) -> Notification:
    names = set(Notification.model_fields) - {"request_id", "meaning"}
    return Notification(
        request_id=row["id"],
        meaning=_meaning(row["reason"]),
        **{name: row[name] for name in names},
    )


def _timeline(row: Any, events: list[Any]) -> list[TimelineEntry]:
    """Accepting is the first entry; each hop then began, and ended in something."""
    timeline = [TimelineEntry(at=row["created_at"], status=Status.QUEUED)]
    for event in events:
        if event["started_at"] is not None:
            timeline.append(
                TimelineEntry(
                    at=event["started_at"], status=Status.PROCESSING, attempt=event["attempt"]
                )
            )
        names = ("at", "status", "reason", "attempt", "provider", "provider_message_id")
        timeline.append(
            TimelineEntry(
                **{name: event[name] for name in names},
                meaning=_meaning(event["reason"]),
                device=event["device"],
                detail=event["detail"],
            )
        )
    return timeline


def _meaning(reason: str | None) -> str | None:
    return Reason(reason).meaning if reason else None
