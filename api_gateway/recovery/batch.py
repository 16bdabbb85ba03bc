"""One batch of a recovery: what is enqueued once more, what is held, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from api_gateway import in_flight
from api_gateway.columns import columns
from api_gateway.dead_letters import bodies
from api_gateway.dead_letters.collector import DeadLetter, keep
from api_gateway.recovery import statements
from api_gateway.recovery.recoveries import Job
from shared.database import Database
from shared.delivery.claims import Claims, ClaimState
from shared.outbox import statements as outbox
from shared.outbox.rows import outbox_row
from shared.schemas.vocabulary import Reason, Status
from shared.schemas.wire import NotificationMessage, OutcomeReport


@dataclass(slots=True)
class Decisions:
    """What is to be done about the notifications of a batch.

    `lost` are in no outbox: on their way, or lost. `aside` are in the outbox of a restored
    database, where they were set aside. `unsure` may have gone out, and nobody can tell.
    """

    lost: dict[UUID, NotificationMessage] = field(default_factory=dict)
    aside: dict[UUID, NotificationMessage] = field(default_factory=dict)
    unsure: dict[UUID, NotificationMessage] = field(default_factory=dict)

    @property
    def parts(self) -> Sequence[Mapping[UUID, NotificationMessage]]:
        return self.lost, self.aside, self.unsure


class Batches:
    """Does batches; each is one transaction, together with the progress of its recovery."""

    def __init__(self, database: Database, claims: Claims) -> None:
        self._database = database
        self._claims = claims

    async def do(self, job: Job, rows: Sequence[Any]) -> None:
        """Does nothing when another gateway has been quicker.

        Raises CacheUnavailable.
        """
        decided = await self._decide(job, rows)
        async with self._database.driver() as connection, connection.transaction():
            seen = columns((row["id"], row["updated_at"], row["status"]) for row in rows)
            still = {row["id"] for row in await connection.fetch(statements.LOCK, *seen)}
            lost, aside, unsure = (_those(part, still) for part in decided.parts)
            counts = (len(rows), len(lost) + len(aside), len(unsure))
            pace = timedelta(seconds=len(rows) / job.rate_per_second)
            mine = await connection.fetchval(
                statements.ADVANCE, job.id, job.looked_up_to, rows[-1]["id"], *counts, pace
            )
            if mine is not None:
                await _enqueue(connection, lost)
                await _give_back(connection, aside)
                await _hold(connection, unsure, _detail(job))

    async def _decide(self, job: Job, rows: Sequence[Any]) -> Decisions:
        messages = await self._messages(rows)
        missing = [row for row in rows if row["id"] in messages and _may_be_lost(row)]
        asked = [messages[row["id"]] for row in missing if not _is_certain(row, job)]
        states = await self._claims.states(asked)
        forgotten = {
            message.id
            for message, state in zip(asked, states, strict=True)
            if state in (ClaimState.MISSING, ClaimState.WENT_ON)
        }
        decided = Decisions()
        for row in missing:
            if row["id"] in forgotten:
                part = decided.unsure
            else:
                part = decided.aside if row["in_outbox"] else decided.lost
            part[row["id"]] = messages[row["id"]]
        return decided

    async def _messages(self, rows: Sequence[Any]) -> dict[UUID, NotificationMessage]:
        async with self._database.driver() as connection:
            events = await connection.fetch(in_flight.EVENTS, [row["id"] for row in rows])
        return in_flight.messages(rows, events)


def _may_be_lost(row: Any) -> bool:
    """What the relay has in hand, or will have, is in no danger."""
    return not row["in_outbox"] or bool(row["is_aside"])


def _is_certain(row: Any, job: Job) -> bool:
    """Whether it cannot have gone out unknown to all."""
    return job.knowledge is not None and job.knowledge.covers(row["created_at"])


def _those(
    messages: Mapping[UUID, NotificationMessage], still: set[UUID]
) -> list[NotificationMessage]:
    return [message for message in messages.values() if message.id in still]


async def _enqueue(connection: Any, messages: Sequence[NotificationMessage]) -> None:
    now = datetime.now(UTC)
    if messages:
        rows = columns(outbox_row(message, now) for message in messages)
        await connection.execute(outbox.INSERT, *rows)


async def _give_back(connection: Any, messages: Sequence[NotificationMessage]) -> None:
    if messages:
        await connection.execute(statements.GIVE_BACK, [message.id for message in messages])


async def _hold(connection: Any, messages: Sequence[NotificationMessage], detail: str) -> None:
    if messages:
        await keep(connection, [_letter(message, detail) for message in messages])
        await connection.execute(statements.TAKE_OUT, [message.id for message in messages])


def _letter(message: NotificationMessage, detail: str) -> DeadLetter:
    body = bodies.kept(message.model_dump_json().encode(), message)
    report = OutcomeReport(
        event_id=uuid5(message.id, f"{message.generation}:{message.hop}:held"),
        notification_id=message.id,
        generation=message.generation,
        hop=message.hop,
        attempt=message.attempt,
        status=Status.FAILED,
        reason=Reason.OUTCOME_UNKNOWN,
        detail=detail,
        at=datetime.now(UTC),
        sensitive=message.sensitive,
    )
    return DeadLetter(body, None, message, report, Reason.OUTCOME_UNKNOWN, detail)


def _detail(job: Job) -> str:
    if job.restored_from is None:
        return "it may have gone out before RabbitMQ and Redis forgot of it"
    moment = f"{job.restored_from.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"it may have gone out after the backup of {moment}, from which this was restored"
