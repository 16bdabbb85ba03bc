"""What a service stands on: opened in order, closed in reverse, each with its own ping."""

import asyncio
import time
from collections.abc import Sequence
from typing import Literal

import structlog
from pydantic import BaseModel

from shared.errors import Unavailable
from shared.resilience.waiting import until_open
from shared.resource import Dependency, Resource

log = structlog.get_logger()

_PING_SECONDS = 2.0

Health = Literal["ok", "degraded", "down"]


class Check(BaseModel):
    """One dependency, as `/health` shows it."""

    status: Literal["ok", "down"]
    latency_ms: float
    detail: str | None = None


class HealthReport(BaseModel):
    """What `/health` answers."""

    status: Health
    service: str
    dependencies: dict[str, Check]


class Resources:
    """All resources of one service."""

    def __init__(self, service: str, resources: Sequence[Resource]) -> None:
        self._service = service
        self._resources = list(resources)
        self._opened: list[Resource] = []

    @property
    def all_open(self) -> bool:
        return len(self._opened) == len(self._resources)

    async def require(self) -> None:
        """Raises Unavailable until everything is open: there may be no tables yet."""
        if not self.all_open:
            raise Unavailable("The service is still starting. Try again shortly.")

    async def open(self) -> None:
        for resource in self._resources:
            await until_open(resource, log=log)
            self._opened.append(resource)

    async def close(self) -> None:
        while self._opened:
            resource = self._opened.pop()
            try:
                await resource.close()
            except Exception:
                log.exception("could not close", resource=resource.name)

    async def health(self) -> HealthReport:
        """Pings everything at once; derived, so that nothing is forgotten."""
        asked = [r for r in self._resources if isinstance(r, Dependency)]
        checks = await asyncio.gather(*map(_check, asked))
        dependencies = {r.name: check for r, check in zip(asked, checks, strict=True)}
        status: Health = "ok" if self.all_open else "down"
        for resource, check in zip(asked, checks, strict=True):
            if check.status == "down":
                status = "down" if resource.essential or status == "down" else "degraded"
        return HealthReport(status=status, service=self._service, dependencies=dependencies)


async def _check(resource: Dependency) -> Check:
    started = time.perf_counter()
    detail = None
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await resource.ping()
    except TimeoutError:
        detail = f"no answer within {_PING_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - any failure is the answer
        detail = str(error) or type(error).__name__
    latency = round((time.perf_counter() - started) * 1000, 2)
    return Check(status="down" if detail else "ok", latency_ms=latency, detail=detail)
