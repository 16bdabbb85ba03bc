"""When to try again: a decision as a value, made here and carried out elsewhere."""

import random
from collections.abc import Callable
from dataclasses import dataclass

_MAX_DOUBLINGS = 62  # 2**62 seconds is past every cap, and still a finite float


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Exact waits between attempts: `base` seconds, doubling up to `cap`.

    `max_retries` 3 means three retries after the first attempt.
    """

    max_retries: int = 3
    base: float = 2.0
    cap: float = 3600.0

    def delay(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1) failed; None: no retry is left.

        The far side's own `retry_after` wins where it is longer.
        """
        if attempt > self.max_retries:
            return None
        wait = self.base * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS)
        return max(min(self.cap, wait), retry_after or 0.0)


def backoff(
    n: int,
    *,
    base: float = 5.0,
    cap: float = 300.0,
    draw: Callable[[], float] = random.random,
) -> float:
    """Seconds to wait before trying an unreachable far side for the `n`-th time more (from 1).

    Full jitter between `base` and a ceiling that doubles up to `cap`: many that wait for the same
    far side do not return together, and none returns at once.
    Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    ceiling = min(cap, base * 2.0 ** min(max(n, 1), _MAX_DOUBLINGS))
    floor = min(base, ceiling)
    return floor + (ceiling - floor) * draw()
