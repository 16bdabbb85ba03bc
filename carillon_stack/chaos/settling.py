"""Waiting until nothing moves any more, never longer than agreed."""

import time
from collections.abc import Callable

import httpx

from carillon_client import Carillon, CarillonError
from carillon_stack.deadline import wait_until
from shared.schemas.vocabulary import Status

_QUIET_SECONDS = 3.0
_LOOK_EVERY_SECONDS = 1.0

MOVING = tuple(status for status in Status if not status.is_final)


def settle(
    carillon: Carillon, sandbox_url: str, *, seconds: float, clock: Callable[[], float]
) -> float | None:
    """Return when all notifications are final and nothing more has come for some seconds.

    Gives the moment by the clock; None when that was not so within `seconds`.
    """
    received: list[object] = [None]
    quiet_since = [time.monotonic()]

    def quiet() -> bool:
        try:
            stats = httpx.get(f"{sandbox_url}/stats", timeout=10, trust_env=False).json()
            moving = any(list(carillon.notifications(status=s, limit=1)) for s in MOVING)
        except (httpx.HTTPError, CarillonError):
            moving, stats = True, None
        if moving or stats != received[0]:
            received[0], quiet_since[0] = stats, time.monotonic()
        return time.monotonic() - quiet_since[0] >= _QUIET_SECONDS

    if wait_until(quiet, seconds=seconds, every=_LOOK_EVERY_SECONDS):
        return clock()
    return None
