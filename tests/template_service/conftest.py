"""The template service on a database of its own, called without a network in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from shared.schemas.access import Caller, Scope
from shared.service.access import Access
from template_service.__main__ import build
from template_service.settings import Settings

KEYS = {
    "templates-key": frozenset({Scope.TEMPLATES}),
    "read-key": frozenset({Scope.READ}),
}


async def holder(key: str) -> Caller | None:
    if key not in KEYS:
        return None
    return Caller(key_id=1, name=key, scopes=KEYS[key])


@pytest.fixture
def settings(postgres_url: str, internal_token: str) -> Settings:
    # Port 1 refuses at once: these tests need no gateway.
    return Settings(
        database_url=postgres_url,
        internal_service_token=internal_token,
        api_gateway_url="http://127.0.0.1:1",
    )


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """One copy of the service, and a client that shows it no key."""
    app = build(settings)
    app.state.access = Access(holder, settings.internal_service_token)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://templates",
            timeout=30,
        ) as client,
    ):
        yield client


@pytest.fixture
async def anyone(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client that shows no key."""
    async with serving(settings) as client:
        yield client


@pytest.fixture
async def client(anyone: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with the scope for templates."""
    anyone.headers["authorization"] = "Bearer templates-key"
    return anyone


@pytest.fixture
async def neighbour(anyone: httpx.AsyncClient, internal_token: str) -> httpx.AsyncClient:
    """Another service of the suite."""
    anyone.headers["authorization"] = f"Bearer {internal_token}"
    return anyone


WELCOME = {
    "template_id": "welcome_email",
    "name": "Welcome",
    "channel": "email",
    "subject": "Welcome {{name}}!",
    "body_text": "Hello {{name}}, welcome!",
    "variables": ["name"],
}


@pytest.fixture
async def welcome(anyone: httpx.AsyncClient, internal_token: str) -> dict[str, object]:
    """The email of the documentation, saved in English."""
    headers = {"authorization": f"Bearer {internal_token}"}
    response = await anyone.post("/templates", json=WELCOME, headers=headers)
    assert response.status_code == 201, response.text
    data: dict[str, object] = response.json()["data"]
    return data
