"""Waiting for a condition, with a deadline."""

import asyncio

from shared.errors import CacheUnavailable

_DEADLINE_SECONDS = 20


async def until(condition):
    """Asks again and again; a Redis that is away is a no."""
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while True:
            try:
                if await condition():
                    return
            except CacheUnavailable:
                pass
            await asyncio.sleep(0.05)
