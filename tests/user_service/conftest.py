"""The real service on a database and a Redis of its own, called over ASGI."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from shared.cache import Cache, ProfileCache
from user_service.__main__ import build
from user_service.settings import Settings

Running = Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]
MakeUser = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


@pytest.fixture
def settings(postgres_url: str, redis_url: str, internal_token: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": postgres_url,
            "redis_url": redis_url,
            "internal_service_token": internal_token,
            "api_gateway_url": "http://127.0.0.1:9",
        }
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client to a service with these settings, while it runs."""
    app = build(settings)
    token = settings.internal_service_token.get_secret_value()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://user-service",
            headers={"Authorization": f"Bearer {token}"},
        ) as client,
    ):
        yield client


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings) as client:
        yield client


@pytest.fixture
async def profiles(redis_url: str) -> AsyncIterator[ProfileCache]:
    """The cache as channel workers read it."""
    cache = Cache(redis_url)
    await cache.open()
    yield ProfileCache(cache)
    await cache.close()


@pytest.fixture
def make_user(client: httpx.AsyncClient) -> MakeUser:
    async def make(name: str = "johndoe", **fields: Any) -> dict[str, Any]:
        body = {"username": name, "email": f"{name}@example.com", **fields}
        response = await client.post("/users", json=body)
        assert response.status_code == 201, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    return make
