"""A database, a vhost and a Redis that last as long as a suite of processes."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import redis

from tests.shared.cache.redis_server import RedisServer


def with_path(url: str, path: str) -> str:
    return urlsplit(url)._replace(path=f"/{path}").geturl()


async def _execute(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def database() -> Iterator[str]:
    """URL of a fresh database."""
    server, name = os.environ["POSTGRES_URL"], f"test_{uuid4().hex}"
    asyncio.run(_execute(server, f'CREATE DATABASE "{name}"'))
    try:
        yield with_path(server, name)
    finally:
        asyncio.run(_execute(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


@contextmanager
def vhost() -> Iterator[str]:
    """URL of a fresh virtual host."""
    server, name = os.environ["RABBITMQ_URL"], f"test-{uuid4().hex}"
    login = (urlsplit(server).username or "guest", urlsplit(server).password or "guest")
    management = os.environ["RABBITMQ_MANAGEMENT_URL"]
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    with httpx.Client(base_url=management, auth=login, timeout=30, trust_env=False) as client:
        client.put(f"/api/vhosts/{name}").raise_for_status()
        granted = client.put(f"/api/permissions/{name}/{login[0]}", json=everything)
        granted.raise_for_status()
        try:
            yield with_path(server, name)
        finally:
            client.delete(f"/api/vhosts/{name}").raise_for_status()


@contextmanager
def redis_of_its_own(folder: Path) -> Iterator[str]:
    """URL of a private Redis: profiles of equal ids, cached by another run, would be believed.

    Without its binary, this test worker's database of the given one, emptied.
    """
    if shutil.which("redis-server"):
        server = RedisServer(folder)
        server.start()
        try:
            yield server.url
        finally:
            server.kill()
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = with_path(os.environ["REDIS_URL"], str(1 + int(worker) % 15))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    yield url
