"""The providers of one channel: which may be used now, and how many sends each lane may have."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from shared.delivery.provider import Provider, Receipt
from shared.errors import (
    BreakerOpen,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from shared.observability.metrics import PROVIDER_SECONDS
from shared.resilience.breaker import Breaker

log = structlog.get_logger()

Content = TypeVar("Content")

_NOT_REACHED = (ProviderUnavailable, ProviderMisconfigured)


@dataclass(frozen=True, slots=True)
class _Member(Generic[Content]):
    provider: Provider[Content]
    breaker: Breaker


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
                    counts=_NOT_REACHED,
                    proves_health=(ProviderError,),
                ),
            )
            for provider in providers
        ]
        self.slots = {lane: asyncio.Semaphore(count) for lane, count in slots.items()}
        self._on_out: list[Callable[[], None]] = []
        self._on_back: list[Callable[[], None]] = []
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

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        for member in self._members:
            await member.provider.close()

    async def ping(self) -> None:
        """Raises while a provider is paused, naming it."""
        paused = [m.breaker.name for m in self._members if m.breaker.state != "closed"]
        if paused:
            raise ProviderUnavailable(f"paused after repeated failures: {', '.join(paused)}")

    async def send(self, content: Content, *, key: str) -> Receipt:
        """Sends through the first provider that can be reached.

        Raises what that provider said of the message, or ProviderUnavailable when none was
        reached. After an unknown outcome no other provider is tried: it would be a second copy.
        """
        failure: Exception | None = None
        for member in self._members:
            try:
                async with member.breaker.guard():
                    return await _timed(member.provider, content, key)
            except BreakerOpen as error:
                failure = failure or error
            except _NOT_REACHED as error:
                log.warning(
                    "provider not reached", provider=member.provider.name, detail=str(error)
                )
                failure = error
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
            for member in self._members:
                try:
                    async with member.breaker.guard():
                        await member.provider.probe()
                except (ProviderError, BreakerOpen) as error:
                    log.info("probe failed", provider=member.provider.name, detail=str(error))
                except Exception:
                    log.exception("probe met a bug", provider=member.provider.name)
        log.info("a provider is back: the lanes resume", pool=self.name)
        for tell in self._on_back:
            tell()


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
