"""One provider of a pool: its breaker, what is wrong with it, and the probes that find it well."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog

from shared.delivery.provider import Provider, Receipt
from shared.delivery.turnstile import TooLong, Turnstile
from shared.errors import (
    BreakerOpen,
    OutcomeUnknown,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from shared.observability import discretion
from shared.observability.metrics import PROVIDER_SECONDS
from shared.resilience.breaker import Breaker
from shared.resilience.schedule import backoff

log = structlog.get_logger()

Content = TypeVar("Content")

NOT_REACHED = (ProviderUnavailable, ProviderMisconfigured)
_UNWELL = (*NOT_REACHED, OutcomeUnknown)
"""What counts for the breaker: a provider that takes messages and falls silent is not well."""

_FIRST_PAUSE_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 3600.0
_STALLED_SECONDS = 2.0


class Member(Generic[Content]):
    """A provider behind its breaker; a resource with a line of its own in `/health`.

    While the breaker is not closed, no message goes to the provider: only probes do, and the
    first that succeeds closes it. A member is in doubt from the moment that it was not reached,
    or did not answer, until a call or a probe succeeds.
    """

    essential = False

    def __init__(
        self,
        provider: Provider[Content],
        *,
        failures: int,
        recovery_seconds: float,
        turnstile: Turnstile | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = provider.name
        self._provider = provider
        self._turnstile = turnstile
        self._recovery_seconds = recovery_seconds
        self._clock = clock
        self.breaker = Breaker(
            provider.name,
            failures=failures,
            recovery_seconds=recovery_seconds,
            counts=_UNWELL,
            proves_health=(ProviderError,),
        )
        self.breaker.on_opened(self.look_after)
        self._trouble: ProviderError | None = None
        self._under_way: dict[object, float] = {}
        self._answered_at = clock()
        self._nurse: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._turnstile is not None:
            await self._turnstile.open()
        await self._provider.open()

    async def close(self) -> None:
        if self._nurse is not None:
            self._nurse.cancel()
            await asyncio.gather(self._nurse, return_exceptions=True)
        await self._provider.close()
        if self._turnstile is not None:
            await self._turnstile.close()

    async def ping(self) -> None:
        """Raises while the provider is paused or misconfigured, saying why."""
        if not self.is_usable:
            wait = self.breaker.retry_after
            raise ProviderUnavailable(
                f"{self.name} is paused after repeated failures, next probe in {wait:.0f} s: "
                f"{self._trouble}"
            )
        if isinstance(self._trouble, ProviderMisconfigured):
            raise ProviderUnavailable(str(self._trouble))

    @property
    def is_usable(self) -> bool:
        return self.breaker.state == "closed"

    @property
    def is_in_doubt(self) -> bool:
        return self._trouble is not None or self._is_stalled

    @property
    def _is_stalled(self) -> bool:
        """Whether the oldest call under way hangs, and no call has ended well since it began."""
        began = next(iter(self._under_way.values()), None)
        return began is not None and self._answered_at < began < self._clock() - _STALLED_SECONDS

    async def wait_for_turn(self, urgency: int, *, patience: float) -> None:
        """Returns when the provider's send rate allows a call; 0 is the most urgent.

        Raises ProviderUnavailable where that is not within `patience` seconds.
        """
        if self._turnstile is None:
            return
        try:
            await self._turnstile.wait(urgency, patience=patience)
        except TooLong as error:
            raise ProviderUnavailable(f"{self.name} is at its send rate") from error

    async def send(self, content: Content, *, key: str) -> Receipt:
        """Raises what the provider says, or BreakerOpen: a message is never the probe."""
        if not self.is_usable:
            raise BreakerOpen(self.name, self.breaker.retry_after)
        call = object()
        with self._noted(), self.breaker.guard():
            self._under_way[call] = self._clock()
            try:
                return await _timed(self._provider, content, key)
            finally:
                del self._under_way[call]

    async def probe(self) -> None:
        """Asks the provider whether it can be used, and remembers the answer."""
        try:
            # A probe that gets through proves less than a message does: it ends a pause, but in
            # good times it does not begin the count of failures anew.
            with self._noted(), self.breaker.guard(heals=False):
                await self._provider.probe()
        except (ProviderError, BreakerOpen) as error:
            log.warning("probe failed", provider=self.name, detail=str(error))
        except Exception:
            log.exception("probe met a bug", provider=self.name)

    def look_after(self) -> None:
        """Probes until the provider is well; at once first, unless the breaker wants a pause."""
        if self._nurse is None or self._nurse.done():
            self._nurse = asyncio.create_task(self._probe_until_well())

    async def _probe_until_well(self) -> None:
        tries = 0
        while not self.is_usable or self.is_in_doubt:
            await asyncio.sleep(self._pause(tries))
            await self.probe()
            tries += 1

    def _pause(self, tries: int) -> float:
        asked = min((self._trouble and self._trouble.retry_after) or 0.0, _LONGEST_PAUSE_SECONDS)
        base = min(_FIRST_PAUSE_SECONDS, self._recovery_seconds)
        growing = backoff(tries, base=base, cap=self._recovery_seconds) if tries else 0.0
        return max(_SHORTEST_PAUSE_SECONDS, self.breaker.retry_after, growing, asked)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Remembers what is wrong with the provider, or that nothing is."""
        try:
            yield
        except _UNWELL as error:
            self._trouble = error
            raise
        except ProviderError:
            self._is_well()
            raise
        else:
            self._is_well()

    def _is_well(self) -> None:
        self._trouble = None
        self._answered_at = self._clock()


async def _timed(provider: Provider[Content], content: Content, key: str) -> Receipt:
    started = time.perf_counter()
    outcome = "sent"
    try:
        return await provider.send(content, key=key)
    except Exception as error:
        # A refusal may quote the message, and goes further than this message does.
        discretion.hide_in(error)
        outcome = type(error).__name__
        raise
    finally:
        seconds = time.perf_counter() - started
        PROVIDER_SECONDS.labels(provider.name, outcome).observe(seconds)
