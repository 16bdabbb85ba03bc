"""Counts open dead letters for the metrics."""

import asyncio
import contextlib
from collections.abc import Sequence

from api_gateway.dead_letters import statements
from shared.background import Background, Job
from shared.database import Database
from shared.errors import DatabaseUnavailable
from shared.observability.metrics import OPEN_DEAD_LETTERS
from shared.schemas.vocabulary import Reason, Status

_SECONDS = 30.0


class Census(Background):
    """Counts by reason, at intervals."""

    name = "dead-letter-census"

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def jobs(self) -> Sequence[Job]:
        return (self._count,)

    async def _count(self) -> None:
        while True:
            with contextlib.suppress(DatabaseUnavailable):
                async with self._database.driver() as connection:
                    rows = await connection.fetch(statements.OPEN_BY_REASON)
                counts = {row["reason"]: row["count"] for row in rows}
                for reason in Reason:
                    if reason.status is Status.FAILED:
                        OPEN_DEAD_LETTERS.labels(reason).set(counts.get(reason, 0))
            await asyncio.sleep(_SECONDS)
