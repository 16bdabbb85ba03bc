"""A database that was restored from a backup is noticed before anything goes out of it."""

from datetime import datetime

import structlog

from api_gateway.memory import Memory
from api_gateway.recovery.recoveries import DEFAULT_RATE, Recoveries
from shared.errors import CacheUnavailable

log = structlog.get_logger()


class Restoration:
    """Opened before the relay. `restored_from` is what the operator says of the backup."""

    name = "restoration"
    essential = True

    def __init__(
        self, recoveries: Recoveries, memory: Memory, restored_from: datetime | None
    ) -> None:
        self._recoveries = recoveries
        self._memory = memory
        self._restored_from = restored_from

    async def open(self) -> None:
        if self._restored_from is not None:
            await self._recoveries.add(self._restored_from, DEFAULT_RATE)
        else:
            await self.notice()

    async def close(self) -> None: ...

    async def notice(self) -> bool:
        """Whether Redis remembers that PostgreSQL once knew more; a recovery begins then."""
        try:
            set_back_to = await self._memory.set_back_to()
        except CacheUnavailable:
            return False
        if set_back_to is None:
            return False
        recovery = await self._recoveries.add(set_back_to, DEFAULT_RATE)
        log.error("the database was set back, a recovery begins", to=str(set_back_to))
        return recovery is not None
