"""What a service stands on: opened in order, drained together, closed in reverse."""

import asyncio
import time
from collections.abc import Sequence
from typing import Literal

import structlog
from pydantic import BaseModel

from shared.errors import Unavailable
from shared.resilience.waiting import until_open
from shared.resource import Dependency, Resource, Taking

log = structlog.get_logger()

_PING_SECONDS = 2.0
_CLOSE_SECONDS = 1.0
_CLOSING_SHARE = 0.2
"""What closing may take of the grace time, when engines are away and every goodbye hangs."""

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
    """All resources of one service.

    It ends in steps, `grace_seconds` in all: `leave` has whatever takes work by itself take no
    more; `close` waits until what has begun is finished, and closes everything.
    """

    def __init__(
        self, service: str, resources: Sequence[Resource], *, grace_seconds: float = 20.0
    ) -> None:
        self._service = service
        self._resources = list(resources)
        self._opened: list[Resource] = []
        self._grace_seconds = grace_seconds
        self.draining_seconds = (1 - _CLOSING_SHARE) * grace_seconds
        self._draining: asyncio.Task[None] | None = None
        self._left_at = 0.0
        self.leaving = asyncio.Event()

    @property
    def all_open(self) -> bool:
        return len(self._opened) == len(self._resources)

    async def require(self) -> None:
        """Raises Unavailable until everything is open: there may be no tables yet."""
        if not self.all_open:
            raise Unavailable("The service is still starting. Try again shortly.")

    async def open(self) -> None:
        for resource in self._resources:
            if self.leaving.is_set():
                return
            await until_open(resource, log=log)
            self._opened.append(resource)

    def leave(self) -> None:
        """The process is about to end: nothing new is taken from this moment on."""
        if not self.leaving.is_set():
            self.leaving.set()
            self._left_at = time.monotonic()
            self._draining = asyncio.create_task(self._drain())

    async def close(self) -> None:
        """Ends everything; what does not end in time is left behind."""
        self.leave()
        if self._draining is not None:
            await self._draining
        while self._opened:
            resource = self._opened.pop()
            try:
                async with asyncio.timeout(min(_CLOSE_SECONDS, self._time_left())):
                    await resource.close()
            except TimeoutError:
                log.warning("closed without a goodbye", resource=resource.name)
            except Exception:
                log.exception("could not close", resource=resource.name)

    async def _drain(self) -> None:
        taking = [resource for resource in self._opened if isinstance(resource, Taking)]
        drains = {asyncio.create_task(resource.drain()): resource for resource in taking}
        if not drains:
            return
        done, late = await asyncio.wait(drains, timeout=self.draining_seconds)
        for task in done:
            if error := task.exception():
                log.error("could not drain", resource=drains[task].name, exc_info=error)
        for task in late:
            log.warning("not drained in time", resource=drains[task].name)
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _time_left(self) -> float:
        return max(0.05, self._left_at + self._grace_seconds - time.monotonic())

    async def health(self) -> HealthReport:
        """Pings everything at once; derived, so that nothing is forgotten."""
        asked = [r for r in self._resources if isinstance(r, Dependency)]
        checks = await asyncio.gather(*map(_check, asked))
        dependencies = {r.name: check for r, check in zip(asked, checks, strict=True)}
        status: Health = "ok" if self.all_open and not self.leaving.is_set() else "down"
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
