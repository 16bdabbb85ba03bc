"""A process that ends under load: whoever asked is answered, and nobody meets a closed door."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from carillon_stack.readiness import accepts
from tests.processes import free_listener
from tests.shared.broker import until

MODULE = "tests.shared.service.greeter"


class Greeters:
    """Processes behind one listening socket, as the local stack runs them."""

    def __init__(self) -> None:
        self.listener = free_listener()
        self.port = int(self.listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        descriptor = str(self.listener.fileno())
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", MODULE],
            env=os.environ
            | {"INTERNAL_SERVICE_TOKEN": "0123456789abcdef", "LISTEN_FD": descriptor}
            | environment,
            pass_fds=[self.listener.fileno()],
        )
        self.running.append(process)
        return process

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.listener.close()


@pytest.fixture
def greeters():
    greeters = Greeters()
    yield greeters
    greeters.close()


async def ended(process: subprocess.Popen[bytes]) -> int:
    await until(lambda: process.poll() is not None)
    return process.wait()


async def greeted(client, **parameters) -> bool:
    answer = await client.post("/greetings", params=parameters)
    return answer.status_code == 200


async def test_a_restart_under_load_refuses_nobody(greeters):
    """One process only: while it is away, requests wait in the socket."""
    process = greeters.start()
    answers: list[bool] = []
    stopping = asyncio.Event()

    async def caller(pause: float) -> None:
        async with httpx.AsyncClient(base_url=greeters.url, timeout=60) as client:
            while not stopping.is_set():
                answers.append(await greeted(client))
                await asyncio.sleep(pause)

    pauses = [0.0, 0.01, 0.01, 0.03, 0.1, 0.25, 0.5, 0.7, 0.9, 0.95]
    callers = [asyncio.create_task(caller(pause)) for pause in pauses]
    for _ in range(2):
        before = len(answers)
        await until(lambda before=before: len(answers) > before + 100)
        process.send_signal(signal.SIGTERM)
        await ended(process)
        process = greeters.start()
    before = len(answers)
    await until(lambda: len(answers) > before + 20)
    stopping.set()
    await asyncio.gather(*callers)
    assert all(answers)


async def test_what_is_under_way_is_answered_and_says_goodbye(greeters):
    process = greeters.start()
    async with httpx.AsyncClient(base_url=greeters.url, timeout=60) as client:
        assert await greeted(client)
        asked = asyncio.create_task(client.post("/greetings", params={"seconds": 1}))
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        answer = await asked
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
        await ended(process)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux who listens")
async def test_a_request_that_crosses_with_the_goodbye_is_answered(greeters):
    process = greeters.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", greeters.port)
    request = b"POST /greetings HTTP/1.1\r\nHost: greeter\r\nContent-Length: 0\r\n\r\n"
    writer.write(request)
    first = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(first.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    process.send_signal(signal.SIGTERM)
    await until(lambda: not accepts(process.pid, greeters.port))
    writer.write(request)
    assert b"connection: close" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await ended(process)


async def test_it_ends_within_its_grace_time_whoever_hangs(greeters):
    process = greeters.start(GRACE_SECONDS="3")
    async with httpx.AsyncClient(base_url=greeters.url, timeout=60) as client:
        assert await greeted(client)
        asked = asyncio.create_task(client.post("/greetings", params={"seconds": 50}))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await ended(process)
        assert time.monotonic() - started < 6
        answer = await asked
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
