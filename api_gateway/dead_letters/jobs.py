"""Jobs on many dead letters: asked for, looked at, cancelled, and carried on batch by batch."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from api_gateway.dead_letters import statements
from api_gateway.dead_letters.redrive import redrive
from shared.database import Database, is_refused
from shared.schemas.dead_letters import (
    DeadLetterFilter,
    DeadLetterJob,
    Hindrance,
    JobAction,
    JobState,
    LetterState,
)
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()

_BATCHES_A_SECOND = 5


class DeadLetterJobs:
    """The table of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, action: JobAction, wanted: DeadLetterFilter, rate_per_second: int
    ) -> DeadLetterJob:
        """A job on the letters that fit now."""
        said, values = statements.add_job(action.value, wanted, rate_per_second)
        async with self._database.driver() as connection:
            row = await connection.fetchrow(said, *values)
        return _shown(row)

    async def get(self, job_id: int) -> DeadLetterJob | None:
        async with self._database.driver() as connection:
            row = await connection.fetchrow(statements.ONE_JOB, job_id)
        return _shown(row) if row else None

    async def list(self, *, before: int | None, limit: int) -> list[DeadLetterJob]:
        """Newest first."""
        async with self._database.driver() as connection:
            rows = await connection.fetch(statements.JOBS, before, limit)
        return [_shown(row) for row in rows]

    async def cancel(self, job_id: int) -> bool:
        """Whether it was running; a batch under way is finished first."""
        async with self._database.driver() as connection:
            done: str = await connection.execute(statements.CANCEL_JOB, job_id)
        return done == "UPDATE 1"

    async def due_in(self) -> float | None:
        """Seconds until a job wants its next batch; None when no job runs."""
        async with self._database.driver() as connection:
            seconds: float | None = await connection.fetchval(statements.DUE_IN)
        return seconds

    async def advance(self) -> Sequence[NotificationMessage] | None:
        """Does one batch of one due job, letters and progress in one transaction.

        What was sent again by it; None when no job is due that nobody else has in hand.
        """
        async with self._database.driver() as connection, connection.transaction():
            job = await connection.fetchrow(statements.TAKE_JOB)
            if job is None:
                return None
            size = max(1, job["rate_per_second"] // _BATCHES_A_SECOND)
            ids = await _next(connection, job, size)
            sent, hindrances = await _do(connection, JobAction(job["action"]), ids)
            done = len(ids) - sum(hindrances.values())
            is_over = len(ids) < size
            await _note(connection, job, ids, done, hindrances, is_over=is_over)
            return sent


async def _next(connection: Any, job: Any, size: int) -> list[int]:
    wanted = DeadLetterFilter.model_validate(job["filter"])
    said, values = statements.next_letters(
        wanted, after=job["looked_at_id"], up_to=job["up_to_id"], most=size
    )
    return [row["id"] for row in await connection.fetch(said, *values)]


async def _do(
    connection: Any, action: JobAction, ids: Sequence[int]
) -> tuple[list[NotificationMessage], Counter[Hindrance]]:
    """What was sent again, and what hindered the rest."""
    if not ids:
        return [], Counter()
    if action is JobAction.DISCARD:
        await connection.execute(statements.RESOLVE, ids, LetterState.DISCARDED.value)
        return [], Counter()
    answers = await _redriven(connection, ids)
    sent = [answer for answer in answers if isinstance(answer, NotificationMessage)]
    return sent, Counter(answer for answer in answers if isinstance(answer, Hindrance))


async def _redriven(connection: Any, ids: Sequence[int]) -> list[NotificationMessage | Hindrance]:
    """All at once; if one of them holds what cannot be stored, each by itself."""
    try:
        async with connection.transaction():
            return await redrive(connection, ids)
    except Exception as error:
        if not is_refused(error):
            raise
        if len(ids) == 1:
            log.error("dead letter not redriven", id=ids[0], detail=str(error))
            return [Hindrance.NOT_STORABLE]
    answers: list[NotificationMessage | Hindrance] = []
    for letter_id in ids:
        answers += await _redriven(connection, [letter_id])
    return answers


async def _note(
    connection: Any,
    job: Any,
    ids: Sequence[int],
    done: int,
    hindrances: Counter[Hindrance],
    *,
    is_over: bool,
) -> None:
    done += job["done"]
    skipped = Counter(job["skipped"]) + hindrances
    if is_over and (elsewhere := job["total"] - done - sum(skipped.values())) > 0:
        skipped[Hindrance.RESOLVED_MEANWHILE] += elsewhere
    await connection.execute(
        statements.ADVANCE_JOB,
        job["id"],
        (JobState.FINISHED if is_over else JobState.RUNNING).value,
        ids[-1] if ids else job["looked_at_id"],
        done,
        json.dumps(skipped),
        timedelta(seconds=len(ids) / job["rate_per_second"]),
    )


def _shown(row: Any) -> DeadLetterJob:
    computed = {"skipped", "skipped_why", "remaining"}
    skipped = sum(row["skipped"].values())
    is_over = row["state"] == JobState.FINISHED
    return DeadLetterJob(
        skipped=skipped,
        skipped_why=row["skipped"],
        remaining=0 if is_over else max(0, row["total"] - row["done"] - skipped),
        **{name: row[name] for name in set(DeadLetterJob.model_fields) - computed},
    )
