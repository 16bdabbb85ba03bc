"""More than a process takes in hand is refused at once, in the envelope."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from shared.service.doorkeeper import Doorkeeper


class House:
    """An application whose callers stay until they are let go."""

    def __init__(self, **limits: int) -> None:
        self.inside = 0
        self.may_go = asyncio.Event()
        app = FastAPI()

        @app.post("/greetings")
        async def greet() -> str:
            self.inside += 1
            await self.may_go.wait()
            return "hello"

        @app.get("/livez")
        async def live() -> str:
            return "alive"

        app.add_middleware(Doorkeeper, **limits)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://house", timeout=30
        )

    async def with_guests(self, *bodies: bytes) -> list[asyncio.Task[httpx.Response]]:
        guests = [self.ask(body) for body in bodies]
        async with asyncio.timeout(10):
            while self.inside < len(bodies):  # noqa: ASYNC110 - they are in this loop
                await asyncio.sleep(0)
        return guests

    def ask(self, body: bytes = b"") -> "asyncio.Task[httpx.Response]":
        return asyncio.create_task(self.client.post("/greetings", content=body))


async def chunks():
    yield b"x"


@pytest.mark.parametrize(
    ("limits", "guests", "too_many"),
    [
        ({"most_requests": 3}, [b"", b"", b""], b""),
        ({"most_bytes": 100}, [b"x" * 60], b"x" * 50),
        ({"most_bytes": 100}, [b"x" * 60], chunks()),
    ],
)
async def test_beyond_its_bounds_callers_are_told_to_come_again(limits, guests, too_many):
    house = House(**limits)
    inside = await house.with_guests(*guests)
    refused = await house.ask(too_many)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "overloaded"
    assert (await house.client.get("/livez")).status_code == 200
    house.may_go.set()
    assert {answer.status_code for answer in await asyncio.gather(*inside)} == {200}
    assert (await house.ask()).status_code == 200
    await house.client.aclose()
