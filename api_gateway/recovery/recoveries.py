"""Recoveries: asked for, looked at, and carried on batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api_gateway import in_flight
from api_gateway.memory import Knowledge
from api_gateway.recovery import statements
from shared.database import Database
from shared.schemas.recoveries import Recovery, RecoveryState

DEFAULT_RATE = 1000
_LONG_SECONDS = 600.0
"""For what goes through a whole table."""

_LARGEST_BATCH = 500


@dataclass(frozen=True, slots=True)
class Job:
    """A recovery that is not finished, as whoever carries it on sees it."""

    id: int
    state: RecoveryState
    restored_from: datetime | None
    knowledge: Knowledge | None
    waiting_for: str | None
    rate_per_second: int
    looked_up_to: UUID
    created_at: datetime
    due_in: float

    @property
    def batch_size(self) -> int:
        return min(_LARGEST_BATCH, self.rate_per_second)


class Recoveries:
    """The table of recoveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, restored_from: datetime | None, rate_per_second: int) -> Recovery | None:
        """A new one. The backup that a database was restored from is recovered once.

        None while another one is not finished, where PostgreSQL lost nothing.
        """
        async with self._database.driver() as connection, connection.transaction():
            row = await connection.fetchrow(statements.ADD, restored_from, rate_per_second)
            if row is not None and restored_from is not None:
                await connection.execute(statements.SET_ASIDE, timeout=_LONG_SECONDS)
        if row is None and restored_from is not None:
            async with self._database.driver() as connection:
                row = await connection.fetchrow(statements.OF_BACKUP, restored_from)
        return _shown(row) if row else None

    async def get(self, recovery_id: int) -> Recovery | None:
        async with self._database.driver() as connection:
            row = await connection.fetchrow(statements.ONE, recovery_id)
        return _shown(row) if row else None

    async def list(self, *, before: int | None, limit: int) -> list[Recovery]:
        """Newest first."""
        async with self._database.driver() as connection:
            rows = await connection.fetch(statements.LIST, before, limit)
        return [_shown(row) for row in rows]

    async def unfinished(self) -> Job | None:
        """The oldest that is not finished."""
        async with self._database.driver() as connection:
            row = await connection.fetchrow(statements.UNFINISHED)
        return _job(row) if row else None

    async def wait(self, job: Job, waiting_for: str | None) -> None:
        """Says what has to come back before it goes on."""
        if waiting_for != job.waiting_for:
            async with self._database.driver() as connection:
                await connection.execute(statements.WAIT, job.id, waiting_for)

    async def begin(self, job: Job, knowledge: Knowledge) -> None:
        async with self._database.driver() as connection:
            await connection.execute(
                statements.BEGIN,
                job.id,
                knowledge.outcomes_until,
                knowledge.claims_since,
                timeout=_LONG_SECONDS,
            )

    async def next(self, job: Job) -> Sequence[Any]:
        """The next rows that were not finished when it was asked for."""
        async with self._database.driver() as connection:
            rows: Sequence[Any] = await connection.fetch(
                statements.NEXT,
                [status.value for status in in_flight.UNDER_WAY],
                job.looked_up_to,
                job.created_at,
                job.batch_size,
            )
            return rows

    async def finish(self, job: Job) -> bool:
        """Whether this call finished it. What is still set aside of the outbox goes on."""
        async with self._database.driver() as connection, connection.transaction():
            finished = await connection.fetchval(statements.FINISH, job.id) is not None
            if finished and job.restored_from is not None:
                await connection.execute(statements.KNOW_AGAIN, job.created_at)
                await connection.execute(statements.GIVE_BACK_ALL, timeout=_LONG_SECONDS)
            return finished


def _shown(row: Any) -> Recovery:
    return Recovery(**{name: row[name] for name in Recovery.model_fields})


def _job(row: Any) -> Job:
    knowledge = None
    if row["claims_since"] is not None:
        knowledge = Knowledge(row["outcomes_until"], row["claims_since"])
    return Job(
        id=row["id"],
        state=RecoveryState(row["state"]),
        restored_from=row["restored_from"],
        knowledge=knowledge,
        waiting_for=row["waiting_for"],
        rate_per_second=row["rate_per_second"],
        looked_up_to=row["looked_up_to"],
        created_at=row["created_at"],
        due_in=row["due_in"],
    )
