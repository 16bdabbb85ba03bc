"""A bounded set of connections to one account: opened when needed, kept while they are in use."""

import asyncio
import time
from collections import deque

from email_service.smtp.account import SmtpAccount
from email_service.smtp.connection import SmtpConnection

IDLE_SECONDS = 30.0
LONGEST_LIFE_SECONDS = 300.0
MOST_EMAILS = 500
_TIDY_SECONDS = 5.0


class SmtpConnections:
    """At most `size` conversations at once; who comes later waits."""

    def __init__(self, account: SmtpAccount, size: int) -> None:
        self._account = account
        self._places = asyncio.Semaphore(size)
        self._idle: deque[SmtpConnection] = deque()
        self._tidier: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Starts closing what stays unused; reaches nobody yet."""
        self._tidier = asyncio.create_task(self._tidy())

    async def close(self) -> None:
        if self._tidier is not None:
            self._tidier.cancel()
            await asyncio.gather(self._tidier, return_exceptions=True)
        await self._part_with([self._idle.popleft() for _ in range(len(self._idle))])

    async def borrow(self, *, fresh: bool = False) -> SmtpConnection:
        """A connection for one email, to be given back in any case.

        `fresh` takes none that was used before. Raises ProviderUnavailable, ProviderMisconfigured.
        """
        await self._places.acquire()
        try:
            connection = None if fresh else self._take()
            return connection or await SmtpConnection.open(self._account)
        except BaseException:
            self._places.release()
            raise

    def give_back(self, connection: SmtpConnection) -> None:
        """Keeps it, if it is still good."""
        if _is_good(connection):
            self._idle.append(connection)
        else:
            connection.drop()
        self._places.release()

    def _take(self) -> SmtpConnection | None:
        """The one used last, so that those beyond the need grow old."""
        while self._idle:
            connection = self._idle.pop()
            if _is_good(connection):
                return connection
            connection.drop()
        return None

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            unused_since = time.monotonic() - IDLE_SECONDS
            old = []
            while self._idle and self._idle[0].used_at < unused_since:
                old.append(self._idle.popleft())
            await self._part_with(old)

    async def _part_with(self, connections: list[SmtpConnection]) -> None:
        await asyncio.gather(*(connection.close() for connection in connections))


def _is_good(connection: SmtpConnection) -> bool:
    age = time.monotonic() - connection.opened_at
    return connection.is_open and age < LONGEST_LIFE_SECONDS and connection.emails < MOST_EMAILS
