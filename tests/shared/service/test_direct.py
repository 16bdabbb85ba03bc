"""A direct route answers as the same route of FastAPI does, whatever it is asked."""

import json
from typing import Annotated, ClassVar

import httpx
import pytest
from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.responses import JSONResponse

from shared.config import ServiceSettings
from shared.errors import Conflict, EngineUnavailable
from shared.observability.metrics import exposition
from shared.schemas.access import Caller, Scope
from shared.schemas.text import Slug
from shared.service import DirectRoute, create_app, require
from shared.service.access import caller_of
from shared.service.direct import read

TOKEN = "internal-token-0123456789"
KEYS = {
    "sender": Caller(key_id=1, name="sender", scopes=frozenset({Scope.SEND})),
    "reader": Caller(key_id=2, name="reader", scopes=frozenset({Scope.READ})),
}


class Bell(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tower: Slug
    strokes: int = 1
    rung_at: AwareDatetime | None = None


class Settings(ServiceSettings):
    service_name: ClassVar[str] = "bell_service"
    default_port: ClassVar[int] = 1


def routes():
    router = APIRouter()

    @router.post("/fastapi", status_code=202)
    async def ring(body: Bell, caller: Annotated[Caller, require(Scope.SEND)]) -> dict[str, str]:
        return _rung(caller, body)

    return router


async def ring_directly(scope, headers, body):
    caller = await caller_of(scope, headers.get(b"authorization"), Scope.SEND)
    return JSONResponse(_rung(caller, read(Bell, headers, body)), 202)


async def taken(_scope, _headers, _body):
    raise Conflict("It is taken.")


async def broken(_scope, _headers, _body):
    raise KeyError("secret detail")


def _rung(caller, bell):
    if bell.tower == "taken":
        raise Conflict("It is taken.")
    return {"by": caller.name, "bell": bell.model_dump_json()}


def make(*resources, **options):
    async def authenticate(key):
        return KEYS.get(key)

    return create_app(
        Settings(internal_service_token=TOKEN),
        description="Bells",
        resources=resources,
        routers=[routes()],
        direct=[
            DirectRoute("POST", "/direct", ring_directly),
            DirectRoute("GET", "/taken", taken),
            DirectRoute("GET", "/broken", broken),
        ],
        authenticate=authenticate,
        **options,
    )


@pytest.fixture
async def client():
    app = make()
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bells") as client,
    ):
        yield client


GOOD = json.dumps({"tower": "north", "strokes": 3}).encode()
BODIES = [
    GOOD,
    b'{"tower": "north", "strokes": "3", "rung_at": "2026-11-25T12:00:00Z"}',
    b"\xef\xbb\xbf" + GOOD,
    b'{"tower": "taken"}',
    b'{"tower": "no such tower", "strokes": 1.5, "rung_at": "soon", "surprise": 1}',
    b'{"tower": "north", "tower": null}',
    b'{"tower": "north", "rung_at": 17}',
    b"{}",
    b"[]",
    b"null",
    b'"north"',
    b"7",
    b"",
    None,
    b"{",
    GOOD + b"x",
    b'{"tower": NaN}',
    b'{"tower": "\xff"}',
    b'{"tower": "\\u0000"}',
    b"[" * 5000,
    b" " * 300_000,
]
TYPES = [
    None,
    "application/json",
    "Application/JSON; charset=utf-8",
    "application/bells+json",
    "text/plain",
    "application/xml",
    "json",
]
LOGINS = [
    None,
    "Bearer sender",
    "bearer sender",
    "Bearer  sender",
    f"Bearer {TOKEN}",
    "Bearer",
    "Bearer ",
    "Basic sender",
    "sender",
    "Bearer reader",
    "Bearer nobody",
]


async def _same(client, body, **headers):
    given = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    both = [
        await client.post(path, content=body, headers={"X-Correlation-ID": "abc", **given})
        for path in ("/fastapi", "/direct")
    ]
    theirs, ours = [(a.status_code, a.json(), sorted(a.headers.multi_items())) for a in both]
    assert ours == theirs
    return ours[0]


async def test_bodies_and_their_errors(client):
    login = {"Authorization": "Bearer sender", "Content_Type": "application/json"}
    statuses = [await _same(client, body, **login) for body in BODIES]
    assert set(statuses) == {202, 400, 409, 413, 422}


async def test_types_of_content(client):
    statuses = [
        await _same(client, GOOD, Authorization="Bearer sender", Content_Type=kind)
        for kind in TYPES
    ]
    assert set(statuses) == {202, 422}


async def test_callers(client):
    statuses = [
        await _same(client, body, Authorization=login, Content_Type="application/json")
        for login in LOGINS
        for body in (GOOD, b"{}")
    ]
    assert set(statuses) == {202, 401, 403, 422}


async def test_without_a_key_nothing_is_said_about_the_body(client):
    answer = await client.post(
        "/direct", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 401


async def test_other_methods_and_addresses_are_not_direct(client):
    assert (await client.get("/direct")).status_code == 404
    assert (await client.post("/taken")).status_code == 404
    assert (await client.get("/taken")).status_code == 409


async def test_a_bug_is_answered_in_the_envelope_and_counted_by_its_route(client):
    answer = await client.get("/broken", headers={"X-Correlation-ID": "abc"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.headers["X-Correlation-ID"] == "abc"
    assert "secret" not in answer.text
    counted = [line for line in exposition().decode().splitlines() if 'route="/broken"' in line]
    assert any('status="500"' in line for line in counted)


async def test_before_everything_is_open_it_is_unavailable():
    class Away:
        name, essential = "away", True

        async def open(self):
            raise EngineUnavailable("away")

        async def close(self): ...

    app = make(Away())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bells") as client:
        assert (await client.get("/taken")).status_code == 503
