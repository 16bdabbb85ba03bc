"""A pace that all processes keep together in Redis; without it, each keeps its share alone."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from shared.cache.client import Cache
from shared.errors import CacheUnavailable

REACH_SECONDS = 0.5
"""How far ahead moments are given away: what a process that dies wastes, and others wait for."""

_FORGOTTEN_SECONDS = 30

# The generic cell rate algorithm without a burst: all that is kept is the next free moment.
# KEYS: the next free moment, the processes that asked lately. ARGV: µs between moments, moments
# wanted, reach (µs), the process that asks, s until a silent one is forgotten. Returns µs until
# the first moment, how many are granted, how many processes ask. A clock that was set back frees
# what lies further ahead than anything that could have been given away.
_RESERVE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local gap, wanted, reach = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
if first > now + reach + 2 * gap then first = now end
local granted = math.max(0, math.min(wanted, math.floor((now + reach - first) / gap) + 1))
if granted > 0 then
  local following = first + granted * gap
  local ttl = math.ceil((following - now) / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', ttl)
end
redis.call('ZADD', KEYS[2], now, ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[5] * 1000000)
redis.call('EXPIRE', KEYS[2], ARGV[5])
return {first - now, granted, redis.call('ZCARD', KEYS[2])}
"""


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments that are ours, in order; it is no use to ask for more before `ask_again_at`."""

    granted: tuple[float, ...]
    ask_again_at: float


class Pace:
    """At most `per_second` moments a second, evenly spaced, whichever process asks for them.

    Moments lie on `clock`. Without Redis a process keeps to its share by the number of processes
    that asked when Redis was last there.
    """

    def __init__(
        self,
        cache: Cache,
        name: str,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._name = name
        self._gap = 1.0 / per_second
        self._clock = clock
        self._process = uuid4().hex
        self._processes = 1
        self._following = 0.0
        self._reserve = cache.script(_RESERVE)

    @property
    def share(self) -> float:
        """Moments a second that this process may count on."""
        return 1.0 / (self._gap * self._processes)

    async def reserve(self, wanted: int) -> Moments:
        """Up to `wanted` moments, none further ahead than `REACH_SECONDS`."""
        keys = [self._cache.durable_key(kind, self._name) for kind in ("pace", "pace-processes")]
        micros = (self._gap * 1e6, wanted, REACH_SECONDS * 1e6, self._process, _FORGOTTEN_SECONDS)
        try:
            answer: list[Any] = await self._reserve(keys, micros)
        except CacheUnavailable:
            return self._alone(wanted)
        ahead, granted, self._processes = map(int, answer)
        return self._moments(self._clock() + ahead / 1e6, granted, self._gap)

    def _alone(self, wanted: int) -> Moments:
        now, gap = self._clock(), self._gap * self._processes
        first = max(now, self._following)
        within_reach = math.floor((now + REACH_SECONDS - first) / gap) + 1
        return self._moments(first, max(0, min(wanted, within_reach)), gap)

    def _moments(self, first: float, granted: int, gap: float) -> Moments:
        following = first + granted * gap
        if granted:
            self._following = following
        return Moments(
            tuple(first + n * gap for n in range(granted)), max(following - REACH_SECONDS, 0.0)
        )
