"""Sweeps what is no longer needed: idempotency keys after their day, and the answers of batches."""

import asyncio
import contextlib
from collections.abc import Sequence

from api_gateway.accept.repository import Acceptances
from api_gateway.batches.repository import BatchRepository
from shared.background import Background, Job
from shared.errors import DatabaseUnavailable

_SECONDS = 60.0
_BATCH = 5000


class Housekeeping(Background):
    """Sweeps every minute, in statements that hold few rows."""

    name = "housekeeping"

    def __init__(self, acceptances: Acceptances, batches: BatchRepository) -> None:
        super().__init__()
        self._acceptances = acceptances
        self._batches = batches

    def jobs(self) -> Sequence[Job]:
        return (self._sweep,)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            with contextlib.suppress(DatabaseUnavailable):
                while await self._acceptances.forget_old_keys(_BATCH):
                    """There may be more."""
                await self._batches.forget_answers()
