"""A private Redis: AOF every second, nothing evicted, password kept in the home."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from carillon_stack.engines.engine import bare_environment, find_binary
from carillon_stack.home import Home, write_private
from carillon_stack.ports import Ports
from carillon_stack.programs import Program, Stage

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{data}"
daemonize no
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""


def server() -> Path | None:
    """Return the machine's redis-server, if it has one."""
    return find_binary("redis-server", "/opt/homebrew/opt/redis/bin", "/usr/local/opt/redis/bin")


class Redis:
    """Redis on a free port of loopback."""

    name = "redis"

    def __init__(self, home: Home, ports: Ports, binary: Path) -> None:
        self._binary = binary
        self._data = home.folder("redis")
        self._port = ports.give("redis")
        self._password = home.secret("redis_password")
        self.url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def _configuration(self) -> Path:
        return self._data / "redis.conf"

    def prepare(self) -> None:
        write_private(
            self._configuration,
            CONFIGURATION.format(port=self._port, password=self._password, data=self._data),
        )

    def programs(self) -> Sequence[Program]:
        return [
            Program(
                name="redis",
                command=(str(self._binary), str(self._configuration)),
                environment=bare_environment(self._data),
                directory=self._data,
                stage=Stage.ENGINES,
            )
        ]

    async def ping(self) -> None:
        await ping(self.url)


async def ping(url: str) -> None:
    """Ask a Redis whether it has loaded its data and serves."""
    address = urlsplit(url)
    port = address.port or 6379
    secure = True if address.scheme == "rediss" else None
    credentials = [unquote(part) for part in (address.username, address.password) if part]
    async with asyncio.timeout(3):
        reader, writer = await asyncio.open_connection(address.hostname, port, ssl=secure)
        try:
            if credentials:
                await _ask(reader, writer, "AUTH", *credentials)
            await _ask(reader, writer, "PING")
        finally:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *words: str) -> None:
    """Send one command; raise ConnectionError with Redis's complaint."""
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    writer.write("".join(parts).encode())
    reply = await reader.readline()
    if not reply.startswith(b"+"):
        raise ConnectionError(reply.decode(errors="replace").strip() or "connection closed")
