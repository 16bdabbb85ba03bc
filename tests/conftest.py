"""Real engines for every test: a database, a vhost and a Redis database of its own."""

import os
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
import redis.asyncio
import structlog
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# The same examples each time: a test that fails tells of a change. A busy machine is no failure.
settings.register_profile("carillon", derandomize=True, deadline=None)
settings.load_profile("carillon")

# The usual traces with all local variables take seconds, in which nothing else goes on.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


class _StacksOnce(LoadScopeScheduling):
    """A file whose tests share a stack of their own stays with one worker."""

    def _split_scope(self, nodeid):
        shares = nodeid.startswith(("tests/acceptance/", "tests/benchmarks/"))
        return nodeid.split("::")[0] if shares else nodeid


def pytest_xdist_make_scheduler(config, log):
    return _StacksOnce(config, log)


def _given(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        pytest.fail(f"{variable} is not set: run the tests with ./carillon test [arguments]")
    return value


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


@pytest.fixture
async def postgres_url() -> AsyncIterator[str]:
    """URL of a fresh, empty database."""
    server = _given("POSTGRES_URL")
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield _with_path(server, name)
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@pytest.fixture
async def redis_url() -> AsyncIterator[str]:
    """URL of an empty Redis database that no test beside this one uses."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = _with_path(_given("REDIS_URL"), str(1 + int(worker) % 15))
    client = redis.asyncio.from_url(url)
    await client.flushdb()
    yield url
    await client.aclose()


@pytest.fixture
async def rabbitmq_url() -> AsyncIterator[str]:
    """URL of a fresh virtual host."""
    server, management = _given("RABBITMQ_URL"), _given("RABBITMQ_MANAGEMENT_URL")
    name = f"test-{uuid4().hex}"
    user = urlsplit(server).username or "guest"
    login = (user, urlsplit(server).password or "guest")
    async with httpx.AsyncClient(base_url=management, auth=login, timeout=30) as client:
        (await client.put(f"/api/vhosts/{name}")).raise_for_status()
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        granted = await client.put(f"/api/permissions/{name}/{user}", json=everything)
        granted.raise_for_status()
        yield _with_path(server, name)
        (await client.delete(f"/api/vhosts/{name}")).raise_for_status()


@pytest.fixture
def internal_token() -> str:
    """The secret that services under test show each other."""
    return "test-internal-token-0123456789"
