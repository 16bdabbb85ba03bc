"""The providers of one channel: which may be used now, and how many sends each lane may have."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from shared.delivery.provider import Provider, Receipt
from shared.errors import (
    BreakerOpen,
    OutcomeUnknown,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from shared.observability.metrics import PROVIDER_SECONDS
from shared.resilience.breaker import Breaker

log = structlog.get_logger()

Content = TypeVar("Content")

_NOT_REACHED = (ProviderUnavailable, ProviderMisconfigured)
_UNWELL = (*_NOT_REACHED, OutcomeUnknown)
"""What counts for the breaker: a provider that takes messages and falls silent is not well."""


@dataclass(slots=True)
class _Member(Generic[Content]):
    provider: Provider[Content]
    breaker: Breaker
    trouble: ProviderError | None = None

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """The breaker's guard; what is wrong with the provider is remembered."""
        try:
            async with self.breaker.guard():
                yield
        except _UNWELL as error:
            self.trouble = error
            raise
        except ProviderError:
            self.trouble = None
            raise
        else:
            self.trouble = None

    @property
    def complaint(self) -> str | None:
        """What an operator should know; a single failure is nothing yet."""
        if self.breaker.state != "closed":
            return f"{self.provider.name} is paused after repeated failures: {self.trouble}"
        return str(self.trouble) if isinstance(self.trouble, ProviderMisconfigured) else None


class ProviderPool(Generic[Content]):
    """Providers in order of preference, each behind its breaker; a resource.

    While every breaker is open the pool is out: `on_out` is told, one probe after the other goes
    to the providers, and `on_back` is told when one succeeds.
    """

    essential = False

    def __init__(
        self,
        name: str,
        providers: Sequence[Provider[Content]],
        slots: Mapping[str, int],
        *,
        failures: int,
        recovery_seconds: float,
    ) -> None:
        self.name = name
        self._members = [
            _Member(
                provider,
                Breaker(
                    provider.name,
                    failures=failures,
                    recovery_seconds=recovery_seconds,
                    counts=_UNWELL,
                    proves_health=(ProviderError,),
                ),
            )
            for provider in providers
        ]
        self.slots = {lane: asyncio.Semaphore(count) for lane, count in slots.items()}
        self._on_out: list[Callable[[], None]] = []
        self._on_back: list[Callable[[], None]] = []
        self._first_look: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        for member in self._members:
            member.breaker.on_opened(self._check)

    @property
    def is_out(self) -> bool:
        return all(member.breaker.state != "closed" for member in self._members)

    def watch(self, *, on_out: Callable[[], None], on_back: Callable[[], None]) -> None:
        self._on_out.append(on_out)
        self._on_back.append(on_back)

    async def open(self) -> None:
        for member in self._members:
            await member.provider.open()
        # A wrong password is known before the first message, and nothing waits for that.
        self._first_look = asyncio.create_task(self._probe_all())

    async def close(self) -> None:
        tasks = [task for task in (self._first_look, self._probing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for member in self._members:
            await member.provider.close()

    async def ping(self) -> None:
        """Raises while a provider is paused or misconfigured, saying why."""
        complaints = [c for c in (member.complaint for member in self._members) if c]
        if complaints:
            raise ProviderUnavailable("; ".join(complaints))

    async def send(self, content: Content, *, key: str) -> Receipt:
        """Sends through the first provider that can be reached.

        Raises what that provider said of the message, or ProviderUnavailable when none was
        reached. After an unknown outcome no other provider is tried: it would be a second copy.
        """
        failure: Exception | None = None
        for member in self._members:
            try:
                async with member.guard():
                    return await _timed(member.provider, content, key)
            except BreakerOpen as error:
                failure = failure or error
            except _NOT_REACHED as error:
                name = member.provider.name
                log.warning("provider not reached", provider=name, detail=str(error))
                failure = error
            except ProviderError as error:
                error.provider = member.provider.name
                raise
        raise ProviderUnavailable(str(failure)) from failure

    def _check(self) -> None:
        if self.is_out and (self._probing is None or self._probing.done()):
            log.warning("no provider left: the lanes pause", pool=self.name)
            for tell in self._on_out:
                tell()
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        while self.is_out:
            waits = [member.breaker.retry_after for member in self._members]
            await asyncio.sleep(max(0.05, min(waits)))
            await self._probe_all()
        log.info("a provider is back: the lanes resume", pool=self.name)
        for tell in self._on_back:
            tell()

    async def _probe_all(self) -> None:
        for member in self._members:
            try:
                async with member.guard():
                    await member.provider.probe()
            except (ProviderError, BreakerOpen) as error:
                log.warning("probe failed", provider=member.provider.name, detail=str(error))
            except Exception:
                log.exception("probe met a bug", provider=member.provider.name)


async def _timed(provider: Provider[Content], content: Content, key: str) -> Receipt:
    started = time.perf_counter()
    outcome = "sent"
    try:
        return await provider.send(content, key=key)
    except Exception as error:
        outcome = type(error).__name__
        raise
    finally:
        seconds = time.perf_counter() - started
        PROVIDER_SECONDS.labels(provider.name, outcome).observe(seconds)
