"""A deadline for a far side that does not count our own slowness against it."""

import asyncio
from types import TracebackType

_TURNS = 3


class answered_within:  # noqa: N801 - reads as a statement: `async with answered_within(2):`
    """Raises TimeoutError when the block takes longer.

    Where the process itself was busy past the deadline, an answer may have come long ago and be
    unread. So the loop turns a few times more, which reads what has come, and takes no time
    where nothing has.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.Handle | None = None

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._handle = self._loop.call_later(self._seconds, self._turn, _TURNS)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _turn(self, left: int) -> None:
        if left:
            self._handle = self._loop.call_soon(self._turn, left - 1)
        else:
            self._timeout.reschedule(self._loop.time())
