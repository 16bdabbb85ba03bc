"""A service of the tests' own: `python -m tests.shared.service.greeter`."""

import asyncio
from typing import ClassVar

from fastapi import APIRouter

from shared.config import ServiceSettings, load
from shared.schemas.envelope import Envelope
from shared.service import create_app, run


class GreeterSettings(ServiceSettings):
    """What every service reads."""

    service_name: ClassVar[str] = "greeter"
    default_port: ClassVar[int] = 1


def routes() -> APIRouter:
    router = APIRouter()

    @router.post("/greetings")
    async def greet(seconds: float = 0) -> Envelope[None]:
        await asyncio.sleep(seconds)
        return Envelope(data=None, message="hello")

    return router


if __name__ == "__main__":
    settings = load(GreeterSettings)
    run(create_app(settings, description="Greets", resources=[], routers=[routes()]), settings)
