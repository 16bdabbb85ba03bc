"""Sweeps what is no longer needed: idempotency keys after their day."""

import asyncio
from collections.abc import Sequence

from api_gateway.accept.repository import Acceptances
from shared.background import Background, Job
from shared.errors import DatabaseUnavailable

_SECONDS = 60.0


class Housekeeping(Background):
    """Sweeps every minute, a bounded number of rows at a time."""

    name = "housekeeping"

    def __init__(self, acceptances: Acceptances) -> None:
        super().__init__()
        self._acceptances = acceptances

    def jobs(self) -> Sequence[Job]:
        return (self._sweep,)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                await self._acceptances.forget_old_keys()
            except DatabaseUnavailable:
                continue
