"""What accepting a batch says to PostgreSQL about the batch itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api_gateway.accept.order import Hold
from api_gateway.batches import statements
from shared.database import Database
from shared.schemas.access import Caller

_HELD = timedelta(seconds=5)
_HELD_FOR_EACH = timedelta(milliseconds=2)
"""How long nobody else takes a batch up. Afterwards it may be, and what is late changes nothing."""


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """A batch that is asked for; `fingerprint` only where there is a key."""

    id: UUID
    caller: Caller
    total: int
    key: str | None
    fingerprint: bytes = field(repr=False)
    correlation_id: str
    created_at: datetime

    @property
    def api_key_id(self) -> int:
        """The scope of idempotency keys; 0 for callers without a key of their own."""
        return self.caller.key_id or 0

    @property
    def held_for(self) -> timedelta:
        return _HELD + self.total * _HELD_FOR_EACH


@dataclass(frozen=True, slots=True)
class Tally:
    """How many items ended in what."""

    accepted: int
    replayed: int
    refused_why: Mapping[str, int]


class BatchRepository:
    """Batches while they are taken up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, order: BatchOrder, holder: UUID) -> bool:
        """Commits the batch, held; False when its key is taken."""
        async with self._database.driver() as connection:
            row = await connection.fetchrow(
                statements.BEGIN,
                order.id,
                order.api_key_id,
                order.key,
                order.fingerprint,
                order.caller.mode.value,
                holder,
                order.held_for,
                order.total,
                order.correlation_id,
                order.created_at,
            )
        return row is not None

    async def known(self, order: BatchOrder) -> tuple[bytes, UUID] | None:
        """Fingerprint and id of what stands under the batch's key."""
        async with self._database.driver() as connection:
            row = await connection.fetchrow(statements.KNOWN, order.api_key_id, order.key)
        return (row["fingerprint"], row["id"]) if row else None

    async def standing(self, batch_id: UUID) -> Any | None:
        """The batch's row, and whether it is held."""
        async with self._database.driver() as connection:
            return await connection.fetchrow(statements.STANDING, batch_id)

    async def take_over(self, hold: Hold, held_for: timedelta) -> bool:
        """Whether the batch is held by this holder now."""
        async with self._database.driver() as connection:
            row = await connection.fetchrow(
                statements.TAKE_OVER, hold.batch_id, hold.holder, held_for
            )
        return row is not None

    async def let_go(self, hold: Hold) -> None:
        """Leaves the batch to whoever asks for it again."""
        async with self._database.driver() as connection:
            await connection.execute(statements.LET_GO, hold.batch_id, hold.holder)

    async def taken_up(self, batch_id: UUID) -> dict[int, UUID]:
        """The ids of what was committed of it, by position."""
        async with self._database.driver() as connection:
            rows = await connection.fetch(statements.TAKEN_UP, batch_id)
        return {row["batch_position"]: row["id"] for row in rows}

    async def finish(self, hold: Hold, tally: Tally, answer: bytes | None) -> bool:
        """Commits how it ended; False when the hold is lost."""
        async with self._database.driver() as connection:
            row = await connection.fetchrow(
                statements.FINISH,
                hold.batch_id,
                hold.holder,
                tally.accepted,
                tally.replayed,
                json.dumps(tally.refused_why),
                answer,
            )
        return row is not None

    async def forget_answers(self) -> None:
        """Forgets what nobody can ask for again: the keys are gone too."""
        async with self._database.driver() as connection:
            await connection.execute(statements.FORGET_ANSWERS)
