"""Engines of their own for a gateway that many tests share."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import httpx


def with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


@asynccontextmanager
async def fresh_database() -> AsyncIterator[str]:
    server, name = os.environ["POSTGRES_URL"], f"test_{uuid4().hex}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield with_path(server, name)
    finally:
        await connection.close()
        connection = await asyncpg.connect(server)
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()


@asynccontextmanager
async def fresh_vhost() -> AsyncIterator[str]:
    server, name = os.environ["RABBITMQ_URL"], f"test-{uuid4().hex}"
    user = urlsplit(server).username or "guest"
    login = (user, urlsplit(server).password or "guest")
    management = os.environ["RABBITMQ_MANAGEMENT_URL"]
    async with httpx.AsyncClient(base_url=management, auth=login, timeout=30) as client:
        (await client.put(f"/api/vhosts/{name}")).raise_for_status()
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        granted = await client.put(f"/api/permissions/{name}/{user}", json=everything)
        granted.raise_for_status()
        yield with_path(server, name)
        (await client.delete(f"/api/vhosts/{name}")).raise_for_status()


def redis_of_this_worker() -> str:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return with_path(os.environ["REDIS_URL"], str(1 + int(worker) % 15))
