"""A circuit breaker for asyncio: after failures in a row nobody tries, then one probes."""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TypeVar

import structlog
from pybreaker import STATE_CLOSED, STATE_OPEN, CircuitBreaker

from shared.errors import BreakerOpen
from shared.observability.metrics import BREAKER_OPEN

log = structlog.get_logger()

Result = TypeVar("Result")
State = Literal["closed", "open", "half_open"]
Listener = Callable[[], None]

_PROBE_PATIENCE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 3600.0


class Breaker:
    """Counts failures in a row of one far side; pybreaker holds the count and the state.

    Only exceptions of the types `counts` are failures. A normal return and an exception of the
    types `proves_health` (an answer all the same) are successes. Anything else, cancellation
    above all, is no result and leaves everything as it was: a probe without one frees its place,
    and the next call probes.

    pybreaker's own guards see neither coroutines nor cancellation, so it is told each result
    after the fact. A result counts only in the state in which its call began: calls that were
    under way when the breaker opened change nothing when they end.

    It stays open for `recovery_seconds`, or for as long as the failure that opened it asks for
    (`retry_after`), an hour at most.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        recovery_seconds: float = 60.0,
        counts: tuple[type[BaseException], ...] = (Exception,),
        proves_health: tuple[type[BaseException], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._recovery_seconds = recovery_seconds
        self._counts = counts
        self._proves_health = proves_health
        self._clock = clock
        self._circuit = CircuitBreaker(fail_max=failures, throw_new_error_on_trip=False)
        self._open_until = clock()
        self._is_probing = False
        self._opened_listeners: list[Listener] = []
        self._closed_listeners: list[Listener] = []
        self._gauge = BREAKER_OPEN.labels(name=name)
        self._gauge.set(0)

    @property
    def state(self) -> State:
        """`half_open` from the moment that a probe may go until its result is known."""
        if self._circuit.current_state == STATE_CLOSED:
            return "closed"
        if self._circuit.current_state == STATE_OPEN and self._remaining() > 0:
            return "open"
        return "half_open"

    @property
    def retry_after(self) -> float:
        """Seconds until a call is worth trying; 0 when one would be let through now."""
        state = self.state
        if state == "open":
            return self._remaining()
        if state == "half_open" and self._is_probing:
            return min(_PROBE_PATIENCE_SECONDS, self._recovery_seconds)
        return 0.0

    def on_opened(self, listener: Listener) -> None:
        """Calls `listener` each time the breaker opens, after a failed probe too."""
        self._opened_listeners.append(listener)

    def on_closed(self, listener: Listener) -> None:
        """Calls `listener` each time a probe succeeds."""
        self._closed_listeners.append(listener)

    async def call(self, function: Callable[[], Awaitable[Result]]) -> Result:
        """Awaits `function()` inside `guard`."""
        with self.guard():
            return await function()

    @contextmanager
    def guard(self, *, heals: bool = True) -> Iterator[None]:
        """Lets its block run and learns from how it ends; raises BreakerOpen instead of running.

        Without `heals` a success closes an open breaker, and leaves the count of a closed one as
        it is: for calls that prove less than the usual ones.
        """
        is_probe = self._admit()
        began_in = self._circuit.state
        is_telling = heals or is_probe
        try:
            yield
        except self._counts as error:
            self._failed(began_in, error)
            raise
        except self._proves_health:
            if is_telling:
                self._succeeded(began_in)
            raise
        else:
            if is_telling:
                self._succeeded(began_in)
        finally:
            if is_probe:
                self._is_probing = False

    def _admit(self) -> bool:
        """Whether the call that begins now is the probe."""
        state = self.state
        if state == "closed":
            return False
        if state == "open" or self._is_probing:
            raise BreakerOpen(self.name, self.retry_after)
        if self._circuit.current_state == STATE_OPEN:
            self._circuit.half_open()
            self._gauge.set(0.5)
            log.debug("breaker probes", breaker=self.name)
        self._is_probing = True
        return True

    def _succeeded(self, began_in: object) -> None:
        before = self._circuit.state
        if before is not began_in:
            return
        self._circuit.call(_nothing)
        if before.name != STATE_CLOSED:
            self._gauge.set(0)
            log.info("breaker closed", breaker=self.name)
            _tell(self._closed_listeners)

    def _failed(self, began_in: object, error: BaseException) -> None:
        if self._circuit.state is not began_in:
            return
        is_probe = self._circuit.current_state != STATE_CLOSED
        with suppress(type(error)):
            self._circuit.call(_raise, error)
        if self._circuit.current_state == STATE_OPEN:
            asked = min(getattr(error, "retry_after", None) or 0.0, _LONGEST_PAUSE_SECONDS)
            self._open_until = self._clock() + max(self._recovery_seconds, asked)
            self._gauge.set(1)
            # A far side that stays away is worth one line, not one for each probe.
            say = log.debug if is_probe else log.warning
            say("breaker opened", breaker=self.name, error=str(error) or repr(error))
            _tell(self._opened_listeners)

    def _remaining(self) -> float:
        return max(0.0, self._open_until - self._clock())


def _tell(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener()


def _nothing() -> None:
    """Reports a success."""


def _raise(error: BaseException) -> None:
    raise error
