"""Batches that are not to be sent any more: told by the gateway, asked for by the licence."""

from uuid import UUID

from shared.cache import Cache

_TOLD_SECONDS = 40 * 86_400  # longer than any notification lives


def cancelled_key(cache: Cache, batch_id: UUID) -> str:
    """What exists once this batch was cancelled."""
    return cache.durable_key("cancelled", batch_id)


class CancelledBatches:
    """Tells all workers of every channel."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def tell(self, batch_id: UUID) -> None:
        """No send of the batch begins after this returned; raises CacheUnavailable."""
        await self._cache.command(
            "SET", cancelled_key(self._cache, batch_id), "1", "EX", _TOLD_SECONDS
        )
