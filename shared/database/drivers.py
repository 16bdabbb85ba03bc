"""Bare asyncpg connections, lent at the cost of a list's `pop`.

SQLAlchemy's way to one costs more than a short statement does: greenlets, a transaction that is
begun in name, events, a check of every return.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import asyncpg

_LONGEST_REST_SECONDS = 300.0
"""What lies between may have forgotten a connection that was silent for longer."""

_CLOSE_SECONDS = 1.0


class Drivers:
    """At most `size` connections, made when they are needed; the last one returned is lent first.

    What was lost, or left in the middle of something, is not lent again.
    """

    def __init__(self, options: Mapping[str, Any], *, size: int, wait_seconds: float) -> None:
        self._options = options
        self._wait_seconds = wait_seconds
        self._places = asyncio.Semaphore(size)
        self._idle: list[tuple[float, Any]] = []
        self._is_closed = False

    async def take(self) -> Any:
        """A connection, to be given back; raises TimeoutError when all are in use for too long."""
        async with asyncio.timeout(self._wait_seconds if self._places.locked() else None):
            await self._places.acquire()
        try:
            return self._kept() or await self._made()
        except BaseException:
            self._places.release()
            raise

    def give_back(self, connection: Any) -> None:
        self._places.release()
        if self._is_closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append((time.monotonic(), connection))

    async def close(self) -> None:
        """Closes those that nobody uses now, and each other one when it comes back."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        closing = (connection.close(timeout=_CLOSE_SECONDS) for _, connection in idle)
        await asyncio.gather(*closing, return_exceptions=True)

    def _kept(self) -> Any:
        while self._idle:
            rests_since, connection = self._idle.pop()
            if connection.is_closed():
                continue
            if time.monotonic() - rests_since < _LONGEST_REST_SECONDS:
                return connection
            connection.terminate()
        return None

    async def _made(self) -> Any:
        connection = await asyncpg.connect(**self._options)
        try:
            await connection.set_type_codec(
                "jsonb",
                schema="pg_catalog",
                # PostgreSQL's binary form is the text behind one byte.
                encoder=lambda text: b"\x01" + text.encode(),
                decoder=lambda given: json.loads(given[1:]),
                format="binary",
            )
        except BaseException:
            connection.terminate()
            raise
        return connection
