"""The ledger: writes outcomes down, each once, however often and in whatever order they come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api_gateway.columns import columns, joined, storable
from api_gateway.status import statements
from shared.outbox import statements as outbox
from shared.outbox.rows import outbox_row
from shared.schemas.vocabulary import Status
from shared.schemas.wire import OutcomeReport

State = tuple[bool, int, int, int, datetime]


@dataclass(slots=True)
class News:
    """What the reports of one notification come to: the one that stands, and what all add."""

    standing: OutcomeReport
    attempts: int = 0
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    sensitive: frozenset[str] | None = None

    def add(self, report: OutcomeReport) -> None:
        if state_of(report) > state_of(self.standing):
            self.standing = report
        # Only what a provider answered is an attempt.
        tries = report.attempt if report.provider else report.attempt - 1
        self.attempts = max(self.attempts, tries)
        if report.status is Status.SENT:
            self.sent_at = max(self.sent_at or report.at, report.at)
        if report.status is Status.DELIVERED:
            self.delivered_at = max(self.delivered_at or report.at, report.at)
        if report.sensitive is not None:
            self.sensitive = (self.sensitive or frozenset()).union(report.sensitive)


def state_of(report: OutcomeReport) -> State:
    """What a notification's state is ordered by; the time decides only between equals."""
    status = report.status
    return (status.is_proof, report.generation, report.hop, status.rank, report.at)


def news_of(reports: Iterable[OutcomeReport]) -> list[News]:
    """What there is to say of each notification, sorted by id."""
    news: dict[UUID, News] = {}
    for report in reports:
        if not report.partial:
            news.setdefault(report.notification_id, News(report)).add(report)
    return [news[notification_id] for notification_id in sorted(news)]


async def record(connection: Any, reports: Sequence[OutcomeReport]) -> None:
    """Writes reports down on an asyncpg connection in a transaction: timeline, state, outbox."""
    if not reports:
        return
    events = sorted(reports, key=lambda report: (report.notification_id, report.event_id))
    added = await connection.fetch(statements.ADD_EVENTS, *columns(map(_event, events)))
    if news := news_of(reports):
        moved = await connection.fetch(statements.MOVE, *columns(map(_move, news)))
        ids = {row["id"] for row in moved}
        final = {one.standing.notification_id for one in news if one.standing.status.is_final}
        if forgetful := [row["id"] for row in moved if row["has_secrets"] and row["id"] in final]:
            await connection.execute(statements.FORGET_SECRETS, forgetful)
        if stayed := [one for one in news if one.standing.notification_id not in ids]:
            await connection.execute(statements.NOTE, *columns(map(_note, stayed)))
    # A report that comes again must not bring back what the relay has published since.
    new = {row["event_id"] for row in added}
    if onward := [
        outbox_row(one.onward, one.due or one.at)
        for one in events
        if one.onward is not None and one.event_id in new
    ]:
        await connection.execute(outbox.INSERT, *columns(onward))


def _event(report: OutcomeReport) -> tuple[Any, ...]:
    return (
        report.notification_id,
        report.event_id,
        report.generation,
        report.hop,
        report.attempt,
        report.status.value,
        report.reason,
        storable(report.provider),
        storable(report.provider_message_id),
        storable(report.device),
        storable(report.detail),
        report.started_at,
        report.at,
    )


def _move(news: News) -> tuple[Any, ...]:
    report = news.standing
    return (
        report.notification_id,
        report.generation,
        report.hop,
        report.status.rank,
        report.status.is_proof,
        report.status.value,
        report.reason,
        storable(report.provider),
        storable(report.provider_message_id),
        report.at,
        news.attempts,
        news.sent_at,
        news.delivered_at,
        joined(news.sensitive),
    )


def _note(news: News) -> tuple[Any, ...]:
    return news.standing.notification_id, news.attempts, news.sent_at, news.delivered_at
