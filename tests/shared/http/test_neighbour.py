import asyncio
import socket
import time

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from shared.errors import NeighbourUnavailable, NotFound
from shared.http.neighbour import Neighbour, NeighbourMisunderstood
from shared.observability.correlation import correlated
from shared.resilience.breaker import Breaker


class Question(BaseModel):
    ids: list[int]


class Answer(BaseModel):
    names: list[str]


class FarSide:
    """A service of the suite that does what the test tells it."""

    def __init__(self):
        self.requests = []
        self.status = 200
        self.gate = asyncio.Event()
        self.gate.set()

    async def names(self, request):
        body = await request.body()
        self.requests.append((request, body))
        await self.gate.wait()
        if self.status != 200:
            return PlainTextResponse("what went wrong", status_code=self.status)
        names = [f"n{n}" for n in Question.model_validate_json(body).ids]
        return JSONResponse({"success": True, "data": {"names": names}, "error": None})

    async def echo(self, request):
        self.requests.append((request, await request.body()))
        return Response(b"raw", status_code=self.status, headers={"x-said": "so"})

    async def garbage(self, _request):
        return PlainTextResponse("<html>a proxy's page</html>")

    async def livez(self, _request):
        return JSONResponse({"status": "ok"}, status_code=self.status)

    @property
    def app(self):
        return Starlette(
            routes=[
                Route("/names", self.names, methods=["POST"]),
                Route("/echo/{rest:path}", self.echo, methods=["PUT"]),
                Route("/garbage", self.garbage, methods=["POST"]),
                Route("/livez", self.livez),
            ]
        )


@pytest.fixture
def far():
    return FarSide()


@pytest.fixture
async def url(far, serve):
    async with serve(far.app) as base_url:
        yield base_url
        far.gate.set()


@pytest.fixture
async def connect():
    opened = []

    async def connected(base_url, **options):
        options.setdefault("timeout", 10)
        neighbour = Neighbour("user_service", base_url, "s3cret", **options)
        await neighbour.open()
        opened.append(neighbour)
        return neighbour

    yield connected
    for neighbour in opened:
        await neighbour.close()


async def ask(neighbour, *ids):
    return (await neighbour.ask("/names", Question(ids=list(ids)), Answer)).names


async def test_an_answer_comes_out_of_its_envelope(far, url, connect):
    neighbour = await connect(url)
    with correlated("c-1"):
        assert await ask(neighbour, 1, 2) == ["n1", "n2"]
    request, body = far.requests[0]
    assert request.headers["authorization"] == "Bearer s3cret"
    assert request.headers["x-correlation-id"] == "c-1"
    assert request.headers["content-type"] == "application/json"
    assert body == b'{"ids":[1,2]}'


async def test_a_neighbour_that_is_not_there_is_unavailable(connect):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        neighbour = await connect(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(NeighbourUnavailable, match="user_service"):
            await ask(neighbour, 1)
        with pytest.raises(NeighbourUnavailable):
            await neighbour.request("PUT", "/echo/x")
        with pytest.raises(NeighbourUnavailable):
            await neighbour.ping()


async def test_before_it_is_opened_it_is_unavailable(url):
    with pytest.raises(NeighbourUnavailable, match="not opened"):
        await ask(Neighbour("user_service", url, "s3cret"), 1)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_server_errors_open_the_breaker_which_then_costs_nothing(far, url, connect, status):
    far.status = status
    neighbour = await connect(url, breaker=Breaker("far", failures=3))
    for _ in range(3):
        with pytest.raises(NeighbourUnavailable, match=str(status)):
            await ask(neighbour, 1)
    with pytest.raises(NeighbourUnavailable, match="paused"):
        await ask(neighbour, 1)
    assert len(far.requests) == 3


async def test_the_first_good_answer_after_the_pause_ends_it(far, url, connect):
    far.status = 503
    clock = [0.0]
    breaker = Breaker("far", failures=1, recovery_seconds=60, clock=lambda: clock[0])
    neighbour = await connect(url, breaker=breaker)
    with pytest.raises(NeighbourUnavailable):
        await ask(neighbour, 1)
    far.status = 200
    clock[0] = 61
    assert await ask(neighbour, 1) == ["n1"]
    assert breaker.state == "closed"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_unavailable_and_an_operator_is_told(far, url, connect, status):
    far.status = status
    neighbour = await connect(url, breaker=Breaker("far", failures=1))
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(NeighbourUnavailable, match="token"):
                await ask(neighbour, 1)
    assert [entry["log_level"] for entry in logs] == ["error", "error"]
    assert "s3cret" not in str(logs)
    assert len(far.requests) == 2


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_any_other_refusal_is_a_bug_told_with_its_words(far, url, connect, status):
    far.status = status
    breaker = Breaker("far", failures=1)
    neighbour = await connect(url, breaker=breaker)
    with pytest.raises(NeighbourMisunderstood, match=f"{status} to /names: what went wrong"):
        await ask(neighbour, 1)
    assert breaker.state == "closed"


async def test_an_unreadable_answer_is_a_bug(url, connect):
    neighbour = await connect(url)
    with pytest.raises(NeighbourMisunderstood, match="unreadable"):
        await neighbour.ask("/garbage", Question(ids=[]), Answer)


async def test_silence_costs_no_more_than_the_timeout_and_heals(far, url, connect):
    """A hundred given-up calls must leave no connection's place taken."""
    far.gate.clear()
    neighbour = await connect(url, timeout=0.3, breaker=Breaker("far", failures=1000))
    started = time.monotonic()
    results = await asyncio.gather(*(ask(neighbour, n) for n in range(100)), return_exceptions=True)
    assert time.monotonic() - started < 5
    assert {type(result) for result in results} == {NeighbourUnavailable}
    far.gate.set()
    again = [neighbour.request("PUT", "/echo/x", timeout=10) for _ in range(64)]
    assert {response.status_code for response in await asyncio.gather(*again)} == {200}


async def test_many_questions_at_once_share_a_bounded_number_of_connections(far, url, connect):
    neighbour = await connect(url)
    answers = await asyncio.gather(*(ask(neighbour, n) for n in range(200)))
    assert answers == [[f"n{n}"] for n in range(200)]
    assert len({request.client.port for request, _ in far.requests}) <= 32


async def test_a_question_is_asked_again_over_a_new_connection_when_the_old_one_is_cut(connect):
    """A neighbour closes an idle connection at the moment it is used again."""
    answer = b'{"success": true, "data": {"names": ["again"]}}'
    connections = 0

    async def cut_first(reader, writer):
        nonlocal connections
        connections += 1
        await reader.readuntil(b'{"ids":[1]}')
        if connections > 1:
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(answer)}\r\n\r\n".encode()
            writer.write(head + answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut_first, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        neighbour = await connect(f"http://127.0.0.1:{port}")
        assert await ask(neighbour, 1) == ["again"]
    assert connections == 2


async def test_a_forwarded_request_passes_everything_but_our_own_headers(far, url, connect):
    neighbour = await connect(url)
    with correlated("c-2"):
        response = await neighbour.request(
            "PUT",
            "/echo/a%2Fb",
            params="limit=5&cursor=a%2Bb",
            content=b"\x00raw",
            headers={"Authorization": "Bearer client", "X-Correlation-ID": "x", "X-Other": "kept"},
        )
    assert (response.status_code, response.content) == (200, b"raw")
    assert response.headers["x-said"] == "so"
    request, body = far.requests[0]
    assert request.scope["raw_path"] == b"/echo/a%2Fb"
    assert dict(request.query_params) == {"limit": "5", "cursor": "a+b"}
    assert body == b"\x00raw"
    assert request.headers.getlist("authorization") == ["Bearer s3cret"]
    assert request.headers.getlist("x-correlation-id") == ["c-2"]
    assert request.headers["x-other"] == "kept"


async def test_a_forwarded_request_gets_server_errors_as_they_are(far, url, connect):
    far.status = 503
    breaker = Breaker("far", failures=1)
    neighbour = await connect(url, breaker=breaker)
    response = await neighbour.request("PUT", "/echo/x")
    assert response.status_code == 503
    assert breaker.state == "closed"


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1:1/echo/x",
        "echo/x",
        "",
        "/users/../echo/x",
        "/users/%2e%2E/echo/x",
        "/users/..%2fecho/x",
        "/./echo/x",
        "/echo/x?admin=1",
        "/echo/x#part",
        "/echo/x\\..",
        "/echo/a b",
        "/echo/x\r\nX-Other: y",
        "/echo/ä",
    ],
)
async def test_a_path_leads_nowhere_else(far, url, connect, path):
    """Invariant: our token opens only what the first words of a forwarded path say."""
    neighbour = await connect(url)
    with pytest.raises(NotFound):
        await neighbour.request("PUT", path)
    assert far.requests == []


async def test_a_double_slash_stays_a_path(far, url, connect):
    neighbour = await connect(url)
    response = await neighbour.request("PUT", "//127.0.0.1:1/echo/x")
    assert response.status_code == 404
    assert far.requests == []


async def test_ping_tells_whether_the_neighbour_lives(far, url, connect):
    neighbour = await connect(url)
    await neighbour.ping()
    far.status = 500
    with pytest.raises(NeighbourUnavailable, match="500"):
        await neighbour.ping()
    assert neighbour.essential is False
