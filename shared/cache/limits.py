"""Rate limits in Redis, for many requests in one round trip; without Redis, in the process."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.cache.client import Cache
from shared.errors import CacheUnavailable

_LOCAL_BUCKETS = 10_000

# A window begins with the first use of its bucket. ARGV: limit, window (ms). Returns for each key
# in order: 1 or 0, uses in this window, milliseconds until it ends.
_TAKE = """
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local answer = {}
for _, key in ipairs(KEYS) do
  local used = tonumber(redis.call('GET', key) or '0')
  local allowed = 0
  if used < limit then
    allowed = 1
    used = redis.call('INCR', key)
  end
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, window)
    left = window
  end
  answer[#answer + 1] = allowed
  answer[#answer + 1] = used
  answer[#answer + 1] = left
end
return answer
"""

_GIVE_BACK = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether one request may go, and what is left of its bucket's window (both in seconds)."""

    allowed: bool
    limit: int
    remaining: int
    reset_after_seconds: float
    window: int
    policy: str = "default"

    @property
    def retry_after(self) -> int:
        """Whole seconds after which the bucket is full again."""
        return max(1, math.ceil(self.reset_after_seconds))


def rate_limit_headers(allowance: Allowance) -> dict[str, str]:
    """What a client is told of its limit; Retry-After only with a refusal.

    Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11
    """
    name, until = allowance.policy, allowance.retry_after
    headers = {
        "RateLimit-Policy": f'"{name}";q={allowance.limit};w={allowance.window}',
        "RateLimit": f'"{name}";r={allowance.remaining};t={until}',
    }
    if not allowance.allowed:
        headers["Retry-After"] = str(until)
    return headers


class RateLimiter:
    """At most `limit` uses of a bucket in `window_seconds` from its first; a refusal uses nothing.

    While Redis is away each process counts by itself, for the buckets it met last.
    `policy` names the limit to clients and keeps its buckets apart from those of other limits.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        limit: int,
        window_seconds: int,
        policy: str = "default",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._limit = limit
        self._window = window_seconds
        self._policy = policy
        self._take = cache.script(_TAKE)
        self._give_back = cache.script(_GIVE_BACK)
        self._local = LocalWindows(limit, window_seconds, clock=clock)

    async def take(self, buckets: Sequence[str]) -> list[Allowance]:
        """One use of each bucket, in order; a bucket that is named twice is used twice."""
        if not buckets:
            return []
        try:
            flat: list[int] = await self._take(
                self._keys(buckets), (self._limit, self._window * 1000)
            )
        except CacheUnavailable:
            return [self._allowance(*self._local.take(bucket)) for bucket in buckets]
        return [
            self._allowance(bool(allowed), used, left / 1000)
            for allowed, used, left in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        ]

    async def give_back(self, buckets: Sequence[str]) -> None:
        """Returns uses that were taken for nothing."""
        if not buckets:
            return
        try:
            await self._give_back(self._keys(buckets))
        except CacheUnavailable:
            for bucket in buckets:
                self._local.give_back(bucket)

    def _keys(self, buckets: Sequence[str]) -> list[str]:
        return [self._cache.durable_key(f"limit:{self._policy}", bucket) for bucket in buckets]

    def _allowance(self, allowed: bool, used: int, left: float) -> Allowance:
        remaining = max(0, self._limit - used)
        return Allowance(allowed, self._limit, remaining, left, self._window, self._policy)


class LocalWindows:
    """The same windows within one process, for at most `max_buckets` buckets."""

    def __init__(
        self,
        limit: int,
        window_seconds: float,
        *,
        max_buckets: int = _LOCAL_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._window = window_seconds
        self._max_buckets = max_buckets
        self._clock = clock
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def take(self, bucket: str) -> tuple[bool, int, float]:
        """Whether it is allowed, uses in this window, seconds until the window ends."""
        now = self._clock()
        used, ends = self._windows.pop(bucket, (0, 0.0))
        if ends <= now:
            used, ends = 0, now + self._window
        allowed = used < self._limit
        used += allowed
        self._windows[bucket] = used, ends
        if len(self._windows) > self._max_buckets:
            self._windows.popitem(last=False)
        return allowed, used, ends - now

    def give_back(self, bucket: str) -> None:
        """One use less in this window."""
        used, ends = self._windows.get(bucket, (0, 0.0))
        if used:
            self._windows[bucket] = used - 1, ends
