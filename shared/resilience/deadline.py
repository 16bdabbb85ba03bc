"""A deadline for a far side that does not count our own slowness against it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_TURNS = 3


@asynccontextmanager
async def answered_within(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError when the block takes longer.

    Where the process itself was busy past the deadline, an answer may have come long ago and be
    unread. So the loop turns a few times more, which reads what has come, and takes no time
    where nothing has.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        handle: asyncio.Handle

        def turn(left: int) -> None:
            nonlocal handle
            if left:
                handle = loop.call_soon(turn, left - 1)
            else:
                timeout.reschedule(loop.time())

        handle = loop.call_later(seconds, turn, _TURNS)
        try:
            yield
        finally:
            handle.cancel()
