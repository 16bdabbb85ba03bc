"""The load asks as a sensible client does, and measures what such a client waits."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from carillon_stack.chaos.load import Load
from tests.carillon_stack.chaos.world import ORDERS

ACCEPTED = b'{"data": {"request_id": "1"}}'


@dataclass
class Request:
    """A request as the door below saw it."""

    number: int
    headers: dict[str, str]


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Door:
    """A gateway's stand-in that does what the test wants."""

    behaviour: Behaviour
    requests: list[Request] = field(default_factory=list)
    serving: list[asyncio.Task[None]] = field(default_factory=list)
    url: str = ""

    @property
    def connections(self) -> int:
        return len(self.serving)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, OSError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                lines = [line.partition(":") for line in head.decode().splitlines()[1:-1]]
                headers = {name.lower(): value.strip() for name, _, value in lines}
                await reader.readexactly(int(headers["content-length"]))
                request = Request(len(self.requests), headers)
                self.requests.append(request)
                await self.behaviour(request, writer)
        writer.close()


def answer(writer: asyncio.StreamWriter, status: int, body: bytes, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + body)


@asynccontextmanager
async def door(behaviour: Behaviour) -> AsyncIterator[Door]:
    opened = Door(behaviour)
    server = await asyncio.start_server(opened.take, "127.0.0.1", 0)
    async with server:
        opened.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield opened
    await asyncio.wait_for(asyncio.gather(*opened.serving), 20)


def load(url: str, *, rate: float, seconds: float) -> Load:
    began = time.monotonic()
    return Load(
        url, "key", ORDERS, rate=rate, seconds=seconds, clock=lambda: time.monotonic() - began
    )


async def test_a_lost_answer_is_asked_for_again_under_the_same_key_until_it_comes():
    async def behaviour(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.number == 0:
            writer.transport.abort()
        elif request.number == 1:
            answer(writer, 503, b"{}", "Retry-After: 1")
        else:
            answer(writer, 202, ACCEPTED)

    async with door(behaviour) as gateway:
        running = load(gateway.url, rate=10, seconds=0.1)
        await running.run()
    (sent,) = running.sent
    keys = {request.headers["idempotency-key"] for request in gateway.requests}
    assert (sent.tries, sent.request_id, keys) == (3, "1", {sent.order.key})
    assert (sum(sent.troubles.values()), sent.troubles["503"]) == (2, 1)
    assert sent.latency >= 1


async def test_a_definite_refusal_is_not_asked_again():
    async def behaviour(_: Request, writer: asyncio.StreamWriter) -> None:
        answer(writer, 422, b'{"message": "no"}')

    async with door(behaviour) as gateway:
        running = load(gateway.url, rate=10, seconds=0.1)
        await running.run()
    (sent,) = running.sent
    assert (sent.tries, sent.status, sent.accepted) == (1, 422, False)
    assert sent.complaint == '{"message": "no"}'


async def test_nothing_waits_for_the_answers_before_it():
    """The first is answered only when all the others have come: a closed loop would hang."""
    come = asyncio.Event()

    async def behaviour(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.number == 9:
            come.set()
        if request.number == 0:
            await come.wait()
        answer(writer, 202, ACCEPTED)

    async with door(behaviour) as gateway:
        running = load(gateway.url, rate=100, seconds=0.1)
        await running.run()
    assert all(sent.tries == 1 and sent.accepted for sent in running.sent)
    assert running.sent[0].latency > running.sent[9].due
    assert gateway.connections < 10
