"""wrk, the open load and smtp-sink: what they report is what happened."""

import asyncio
import smtplib
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from benchmarks.load.paced import PacedLoad
from benchmarks.load.sink import Sink
from benchmarks.load.wrk import Requests, Wrk
from benchmarks.needs import programs
from carillon_stack.home import REPOSITORY, Home
from tests.processes import free_listener


@pytest.fixture
def home() -> Home:
    """Where a developer's own runs keep smtp-sink: it is unpacked once."""
    return Home(REPOSITORY / ".carillon" / "bench")


class Door:
    """Answers with 202, or every tenth time with 503, and remembers what it was sent."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.url = ""
        self.refuses = False

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                break
            length = next(
                (int(line.split(":")[1]) for line in head.splitlines() if "ontent-Length" in line),
                0,
            )
            await reader.readexactly(length)
            self.heads.append(head)
            status = "503 No" if self.refuses and len(self.heads) % 10 == 0 else "202 Yes"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())
        writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    server = await asyncio.start_server(door.answer, "127.0.0.1", 0)
    door.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield door
    finally:
        server.close()


@pytest.fixture
def wrk(home) -> Wrk:
    return Wrk(programs.wrk(home, print))


async def test_wrk_stops_after_so_many_answers_and_gives_each_request_its_own_key(wrk, door):
    requests = Requests.posts("/send", ['{"user_id": 1}', '{"user_id": 2}'], "ck_live_1")

    fired = await wrk.fire(door.url, requests, connections=4, stop_after=100, keyed=True)

    assert 100 <= fired.requests <= len(door.heads)
    assert fired.failed == 0
    keys = [line for head in door.heads for line in head.splitlines() if "Idempotency" in line]
    assert max(Counter(keys).values()) == 1
    assert len(keys) == len(door.heads)
    assert "Bearer ck_live_1" in door.heads[0]


async def test_wrk_counts_what_was_refused(wrk, door):
    door.refuses = True
    fired = await wrk.fire(door.url, Requests.gets(["/x"], "k"), connections=1, stop_after=50)
    assert fired.failed == fired.requests // 10


async def test_the_open_load_keeps_its_rate_and_knows_what_became_of_each(door):
    door.refuses = True
    load = PacedLoad(door.url, Requests.posts("/send", ["{}"]))

    turns = await load.send(50, rate=200)

    assert [turn.due for turn in turns] == sorted(turn.due for turn in turns)
    assert turns[-1].due - turns[0].due == pytest.approx(49 / 200)
    assert all(turn.answered >= turn.due for turn in turns)
    assert sum(not turn.accepted for turn in turns) == 5


async def test_the_sink_counts_mails_and_knows_when_each_came(home):
    with free_listener() as listener:
        port = listener.getsockname()[1]
    sink = Sink(await asyncio.to_thread(programs.smtp_sink, home, print), port)
    await sink.start(keeping=True)
    try:
        await asyncio.to_thread(_send, port, 3)
        assert await sink.until(3, seconds=20)
        moments = sink.moments()
        assert sink.received == 3
        assert sorted(moments) == [
            "reader-0@example.com",
            "reader-1@example.com",
            "reader-2@example.com",
        ]
        assert moments["reader-0@example.com"] <= moments["reader-2@example.com"]
    finally:
        await sink.stop()


def _send(port: int, count: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        for number in range(count):
            client.sendmail(
                "a@example.com", [f"reader-{number}@example.com"], "Subject: x\r\n\r\nx"
            )
