"""The ledger: writes outcomes down, each once, however often and in whatever order they come."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from api_gateway.columns import columns
from api_gateway.status import statements
from shared.outbox import statements as outbox
from shared.schemas.wire import OutcomeReport

State = tuple[bool, int, int, int]


def state_of(report: OutcomeReport) -> State:
    """What a notification's state is ordered by."""
    return (report.status.is_proof, report.generation, report.hop, report.status.rank)


def newest(reports: Iterable[OutcomeReport]) -> list[OutcomeReport]:
    """The report of each notification that stands in the end, sorted by id."""
    best: dict[UUID, OutcomeReport] = {}
    for report in reports:
        if report.partial:
            continue
        standing = best.get(report.notification_id)
        if standing is None or state_of(report) > state_of(standing):
            best[report.notification_id] = report
    return [best[notification_id] for notification_id in sorted(best)]


async def record(connection: Any, reports: Sequence[OutcomeReport]) -> None:
    """Writes reports down on an asyncpg connection in a transaction: timeline, state, outbox."""
    if not reports:
        return
    events = sorted(reports, key=lambda report: (report.notification_id, report.event_id))
    await connection.execute(statements.ADD_EVENTS, *columns(map(_event, events)))
    if moving := newest(reports):
        await connection.execute(statements.MOVE, *columns(map(_move, moving)))
    if onward := [report for report in reports if report.onward is not None]:
        onward.sort(key=lambda report: report.notification_id)
        await connection.execute(outbox.INSERT, *columns(map(_outbox_row, onward)))


def _event(report: OutcomeReport) -> tuple[Any, ...]:
    return (
        report.notification_id,
        report.event_id,
        report.generation,
        report.hop,
        report.attempt,
        report.status.value,
        report.reason,
        report.provider,
        report.provider_message_id,
        report.device,
        report.detail,
        report.started_at,
        report.at,
    )


def _move(report: OutcomeReport) -> tuple[Any, ...]:
    # Only what a provider answered is an attempt.
    tries = report.attempt if report.provider else report.attempt - 1
    return (
        report.notification_id,
        report.generation,
        report.hop,
        report.status.rank,
        report.status.is_proof,
        report.status.value,
        report.reason,
        tries,
        report.provider,
        report.provider_message_id,
        report.at,
    )


def _outbox_row(report: OutcomeReport) -> tuple[Any, ...]:
    message = report.onward
    assert message is not None  # noqa: S101 - the caller's filter, for the type checker
    return (
        message.id,
        message.generation,
        message.hop,
        message.priority.rank,
        report.due or report.at,
        message.model_dump_json().encode(),
    )
