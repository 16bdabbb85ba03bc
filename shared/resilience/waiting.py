"""Waiting for something to come up, aloud."""

from typing import Protocol

from structlog.typing import FilteringBoundLogger
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    stop_never,
    wait_random_exponential,
)

from shared.errors import EngineUnavailable, Unavailable

NOT_YET = (EngineUnavailable, Unavailable, OSError, TimeoutError)
"""What `open` raises while its far side is not up; anything else is a mistake in the set-up."""

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0


class Openable(Protocol):
    """A resource, as far as waiting for it goes."""

    @property
    def name(self) -> str: ...
    async def open(self) -> None: ...


async def until_open(
    resource: Openable, *, log: FilteringBoundLogger, max_wait: float | None = None
) -> None:
    """Opens `resource`, trying again while it is not up.

    After `max_wait` seconds (None: never) the last error is raised.
    """

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        sentence = f"waiting for {resource.name}: {str(error) or type(error).__name__}"
        log.warning(sentence)

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(NOT_YET),
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS),
        stop=stop_never if max_wait is None else stop_after_delay(max_wait),
        before_sleep=say,
        reraise=True,
    ):
        with attempt:
            await resource.open()
