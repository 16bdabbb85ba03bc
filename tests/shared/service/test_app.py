"""An application made by create_app: its answers, its health, its start and its end."""

import asyncio
import json
from typing import ClassVar

import httpx
import pytest
from fastapi import APIRouter

from shared.config import ServiceSettings
from shared.errors import Conflict, DatabaseUnavailable, EngineUnavailable
from shared.observability import logs
from shared.service import create_app

TOKEN = "internal-token-0123456789"


class Settings(ServiceSettings):
    """Settings of a service that exists in tests only."""

    service_name: ClassVar[str] = "bell_service"
    default_port: ClassVar[int] = 1


class Part:
    """A resource that does as it is told."""

    def __init__(self, name, *, essential=False, journal=None, opens=None):
        self.name, self.essential = name, essential
        self.journal = [] if journal is None else journal
        self.opens = opens or asyncio.Event()
        self.problem = None
        if opens is None:
            self.opens.set()

    async def open(self):
        if not self.opens.is_set():
            raise EngineUnavailable(f"{self.name} is away")
        self.journal.append(f"+{self.name}")

    async def close(self):
        self.journal.append(f"-{self.name}")

    async def ping(self):
        if self.problem:
            raise self.problem


def routes():
    router = APIRouter()

    @router.get("/bug")
    async def bug() -> None:
        raise KeyError("secret detail")

    @router.get("/conflict")
    async def conflict() -> None:
        raise Conflict("It is taken.")

    @router.get("/away")
    async def away() -> None:
        raise DatabaseUnavailable("Try again shortly.")

    return router


def make(*resources):
    settings = Settings(internal_service_token=TOKEN)
    return create_app(settings, description="Bells", resources=resources, routers=[routes()])


def client_of(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bells")


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr("shared.service.app._STARTUP_PATIENCE_SECONDS", 0.05)


async def test_every_failure_leaves_in_the_envelope():
    app = make()
    async with app.router.lifespan_context(app), client_of(app) as client:
        for address, status, code in (
            ("/conflict", 409, "conflict"),
            ("/away", 503, "database_unavailable"),
            ("/bug", 500, "internal_error"),
            ("/nowhere", 404, "not_found"),
        ):
            answer = await client.get(address, headers={"X-Correlation-ID": "abc"})
            assert answer.status_code == status
            assert answer.headers["X-Correlation-ID"] == "abc"
            told = answer.json()
            assert (told["success"], told["data"], told["meta"]) == (False, None, None)
            assert (told["error"]["status"], told["error"]["code"]) == (status, code)
            assert "secret" not in answer.text
        answer = await client.post("/conflict")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
        assert (await client.get("/away")).headers["Retry-After"] == "2"


async def test_a_bug_is_logged_with_its_trace_and_correlation_id(capsys):
    logs.configure("bell_service")
    app = make()
    async with app.router.lifespan_context(app), client_of(app) as client:
        await client.get("/bug", headers={"X-Correlation-ID": "abc"})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [bug] = [line for line in lines if line["event"] == "unexpected error"]
    assert (bug["correlation_id"], bug["service"]) == ("abc", "bell_service")
    assert "KeyError" in bug["exception"]


async def test_resources_open_in_order_and_close_in_reverse():
    journal = []
    app = make(*(Part(name, journal=journal) for name in "abc"))
    async with app.router.lifespan_context(app):
        assert journal == ["+a", "+b", "+c"]
    assert journal[3:] == ["-c", "-b", "-a"]


async def test_health_follows_from_the_resources():
    engine, helper = Part("engine", essential=True), Part("helper")
    app = make(engine, helper)
    async with app.router.lifespan_context(app), client_of(app) as client:
        for engine_problem, helper_problem, status, code in (
            (None, None, "ok", 200),
            (None, OSError("gone"), "degraded", 200),
            (OSError("gone"), None, "down", 503),
            (OSError("gone"), OSError("gone"), "down", 503),
        ):
            engine.problem, helper.problem = engine_problem, helper_problem
            answer = await client.get("/health")
            assert (answer.json()["status"], answer.status_code) == (status, code)
            assert (await client.get("/readyz")).status_code == code
            assert (await client.get("/livez")).status_code == 200
        assert answer.json()["dependencies"]["helper"]["detail"] == "gone"


async def test_without_an_engine_it_serves_after_a_while_and_goes_on_opening(patience):
    opens = asyncio.Event()
    app = make(Part("engine", essential=True, opens=opens))
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/health")).json()["status"] == "down"
        answer = await client.get("/conflict")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        opens.set()
        async with asyncio.timeout(10):
            while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.02)
        assert (await client.get("/conflict")).status_code == 409


async def test_what_cannot_be_opened_for_another_reason_stops_the_start():
    class Broken(Part):
        async def open(self):
            raise ValueError("wrong set-up")

    app = make(Broken("engine"))
    with pytest.raises(ValueError, match="wrong set-up"):
        async with app.router.lifespan_context(app):
            """Never here."""


async def test_one_that_cannot_close_does_not_keep_the_others_open():
    journal = []

    class Stuck(Part):
        async def close(self):
            raise OSError("stuck")

    app = make(Part("a", journal=journal), Stuck("b"), Part("c", journal=journal))
    async with app.router.lifespan_context(app):
        """Opened."""
    assert journal == ["+a", "+c", "-c", "-a"]


async def test_operations_describe_their_failures():
    document = make().openapi()
    assert document["paths"]["/conflict"]["get"]["operationId"] == "conflict"
    failures = document["paths"]["/conflict"]["get"]["responses"]
    assert failures["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith("/Failure")
