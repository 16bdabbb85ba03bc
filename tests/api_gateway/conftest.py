"""A gateway that many tests share, and gateways of their own for tests that break something."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.api_gateway import engines
from tests.api_gateway.gateway import Gateway, running
from tests.api_gateway.neighbours import Served, template_service, user_service
from tests.api_gateway.office import Office, office_of
from tests.shared.broker import Broker

Start = Callable[..., Coroutine[Any, Any, Gateway]]
MakeKey = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


@pytest.fixture(scope="session")
def templates() -> Iterator[str]:
    """URL of a template service."""
    served = Served(template_service())
    yield served.url
    served.stop()


@pytest.fixture(scope="session")
def users() -> Iterator[str]:
    """URL of a user service."""
    served = Served(user_service())
    yield served.url
    served.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def environment(templates: str, users: str) -> AsyncIterator[dict[str, str]]:
    """Engines and neighbours of the shared gateway."""
    async with engines.fresh_database() as database, engines.fresh_vhost() as vhost:
        yield {
            "DATABASE_URL": database,
            "RABBITMQ_URL": vhost,
            "REDIS_URL": engines.redis_of_this_worker(),
            "TEMPLATE_SERVICE_URL": templates,
            "USER_SERVICE_URL": users,
        }


@pytest.fixture(scope="session")
def gateway(environment: dict[str, str]) -> Iterator[Gateway]:
    """The shared gateway: tests leave it as they found it, and use users of their own."""
    with running(environment) as gateway:
        yield gateway


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the admin key."""
    async with gateway.client() as client:
        yield client


@pytest.fixture
async def database(environment: dict[str, str]) -> AsyncIterator[Any]:
    """A connection to the shared gateway's database."""
    connection = await asyncpg.connect(environment["DATABASE_URL"])
    yield connection
    await connection.close()


@pytest.fixture
async def broker(gateway: Gateway, environment: dict[str, str]) -> AsyncIterator[Broker]:
    """The shared gateway's virtual host."""
    broker = Broker(environment["RABBITMQ_URL"])
    await broker.open()
    yield broker
    await broker.close()


@pytest.fixture
async def office(gateway: Gateway, environment: dict[str, str]) -> AsyncIterator[Office]:
    """The shared gateway's dead letters."""
    async with office_of(gateway, environment) as office:
        yield office


@pytest.fixture
def make_key(client: httpx.AsyncClient) -> MakeKey:
    async def make(*scopes: str, mode: str = "live") -> dict[str, Any]:
        body = {"name": "test", "scopes": scopes, "mode": mode}
        response = await client.post("/api-keys", json=body)
        assert response.status_code == 201, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    return make


@pytest.fixture
def own_environment(
    postgres_url: str, rabbitmq_url: str, redis_url: str, templates: str, users: str
) -> dict[str, str]:
    """Engines for a gateway that a test has to itself."""
    return {
        "DATABASE_URL": postgres_url,
        "RABBITMQ_URL": rabbitmq_url,
        "REDIS_URL": redis_url,
        "TEMPLATE_SERVICE_URL": templates,
        "USER_SERVICE_URL": users,
    }


@pytest.fixture
def start(own_environment: dict[str, str]) -> Iterator[Start]:
    """Starts gateways, with changes to the environment; they end with the test."""
    with ExitStack() as stack:

        async def started(**changes: str) -> Gateway:
            # In a thread: a proxy of the test's may be between the gateway and its engine.
            gateway = running(own_environment | changes)
            return await asyncio.to_thread(stack.enter_context, gateway)

        yield started
