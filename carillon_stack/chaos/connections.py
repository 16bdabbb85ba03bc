"""HTTP/1.1 to the gateway, lean enough to measure with: kept connections, one deadline a try."""

import asyncio
import json
import select
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

MOST_AT_ONCE = 128
"""Tries that are under way at the same time; who comes later waits, and that counts as waiting."""
_LINE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The envelope's data; raises ValueError, KeyError for what is none."""
        return json.loads(self.body)["data"]


class NoAnswer(Exception):
    """The try ended without an answer; its text says how."""


class Connections:
    """Connections to one address, kept while they are good; the one used last is used first."""

    def __init__(self, url: str, headers: Mapping[str, str], *, seconds: float) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._headers = {"Host": address.netloc, "Content-Type": "application/json", **headers}
        self._seconds = seconds
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._idle: list[_Connection] = []

    async def post(self, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """One try; raises NoAnswer when it breaks, or after so many seconds."""
        content = json.dumps(body).encode()
        given = {**self._headers, **headers, "Content-Length": str(len(content))}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
        request = "\r\n".join([*lines, "", ""]).encode() + content
        async with self._places:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._exchange(request)
            except TimeoutError:
                raise NoAnswer("timeout") from None
            except (OSError, EOFError, ValueError) as error:
                raise NoAnswer(type(error).__name__) from error

    async def _exchange(self, request: bytes) -> Answer:
        connection = self._take() or await _Connection.open(self._host, self._port)
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _take(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_good:
                return connection
            connection.close()
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().close()


class _Connection:
    """One connection, one exchange at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        return cls(*await asyncio.open_connection(host, port, limit=_LINE_BYTES))

    @property
    def is_good(self) -> bool:
        """Whether the far side keeps it. Asks the kernel: the loop may not have read that yet."""
        if self._reader.at_eof() or self._writer.is_closing():
            return False
        watch = select.poll()
        watch.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return not watch.poll(0)

    async def exchange(self, request: bytes) -> Answer:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").splitlines()
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(first.split()[1]), headers, body)

    def close(self) -> None:
        self._writer.transport.abort()
