"""An open load: each request leaves when it is due, whether or not the last was answered."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

from benchmarks.load.wrk import Requests
from carillon_stack.errors import StackError

_CONNECTIONS = 64
_PATIENCE_SECONDS = 30


@dataclass(slots=True)
class Turn:
    """One request: when it was due and when it was answered, in seconds of Unix time."""

    due: float
    answered: float = 0.0
    status: int = 0

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


class _Connection(asyncio.Protocol):
    """One connection; calls `free` when it can take the next request."""

    def __init__(self, load: "PacedLoad") -> None:
        self._load = load
        self._turn: Turn | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, turn: Turn) -> None:
        self._turn = turn
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._turn is not None:
            self._turn.status = self._parser.get_status_code()
            self._turn.answered = time.time()
            self._turn = None
        self._load.free(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """What it was about stays unanswered; nobody sends on it again."""
        self._load.lost(self, self._turn)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class PacedLoad:
    """So many requests a second, over connections that are kept."""

    def __init__(self, url: str, requests: Requests) -> None:
        self._address = urlsplit(url)
        self._requests = [_encoded(line, self._address.netloc, requests) for line in requests.lines]
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[tuple[bytes, Turn]] = deque()
        self._unanswered = 0
        self._all_answered = asyncio.Event()

    async def send(self, count: int, rate: float) -> list[Turn]:
        """Sends `count` requests; returns when all were answered, or after half a minute."""
        connections = await self._connect()
        turns: list[Turn] = []
        self._unanswered = count
        start = time.time() + 0.01
        try:
            while len(turns) < count:
                now = time.time()
                while len(turns) < count and (due := start + len(turns) / rate) <= now:
                    request = self._requests[len(turns) % len(self._requests)]
                    turns.append(Turn(due))
                    self._waiting.append((request, turns[-1]))
                self._pump()
                await asyncio.sleep(max(0.0, start + len(turns) / rate - time.time()))
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._all_answered.wait()
        except TimeoutError:
            pass
        finally:
            for connection in connections:
                connection.close()
        return turns

    def free(self, connection: _Connection) -> None:
        self._idle.append(connection)
        self._answered()
        self._pump()

    def lost(self, connection: _Connection, turn: Turn | None) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        if turn is not None:
            self._answered()

    def _answered(self) -> None:
        self._unanswered -= 1
        if self._unanswered == 0:
            self._all_answered.set()

    def _pump(self) -> None:
        """The connection used last is taken first: a light load stays on few."""
        while self._waiting and self._idle:
            self._idle.pop().send(*self._waiting.popleft())

    async def _connect(self) -> list[_Connection]:
        loop = asyncio.get_running_loop()
        host, port = self._address.hostname or "", self._address.port or 80
        try:
            made = [
                (await loop.create_connection(lambda: _Connection(self), host, port))[1]
                for _ in range(_CONNECTIONS)
            ]
        except OSError as error:
            raise StackError(f"{self._address.netloc} takes no connections: {error}") from error
        self._idle.extend(made)
        return made


def _encoded(line: str, host: str, requests: Requests) -> bytes:
    method, path, body = line.split(" ", 2)
    content = body.encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {requests.api_key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
