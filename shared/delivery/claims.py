"""Claims in Redis, for whoever takes them and whoever only looks.

A claim is a hash for one hop of a notification, with `state`, `owner`, `takes` and `outcome` for
each device (its name is empty where there is but one address). An owner is alive while its lease
key exists; it renews that every few seconds, so a killed worker's claims are free soon after.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum

from shared.cache import Cache
from shared.schemas.wire import NotificationMessage

CLAIM_TTL_SECONDS = 86_400
LEASE_SECONDS = 10.0

_REMEMBERED_SECONDS = 40 * 86_400  # longer than any notification lives

# KEYS: claim. ARGV: lease key prefix. Answers a ClaimState.
_STATE = """
local flat = redis.call('HGETALL', KEYS[1])
if #flat == 0 then return 0 end
local claim, answer = {}, 2
for i = 1, #flat, 2 do claim[flat[i]] = flat[i + 1] end
for field, value in pairs(claim) do
  local device = string.match(field, '^state:(.*)$')
  if device and value == 'sending'
     and redis.call('EXISTS', ARGV[1] .. claim['owner:' .. device]) == 1 then return 3 end
  if string.match(field, '^outcome:') then
    local is_read, outcome = pcall(cjson.decode, value)
    local kind = is_read and type(outcome) == 'table' and outcome['kind']
    if kind == 'retry' or kind == 'deferred' then answer = 1 end
  end
end
return answer
"""

# KEYS: where it is remembered. ARGV: TTL (s), and whether sends had no claims until now.
_COMPLETE_SINCE = """
local since = redis.call('GET', KEYS[1])
if not since or ARGV[2] == '1' then
  since = redis.call('TIME')[1]
  redis.call('SET', KEYS[1], since)
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return tonumber(since)
"""


class ClaimState(IntEnum):
    """What a claim tells whoever does not want it.

    TOLD: whoever gets the message next learns what became of it. WENT_ON: the same, and another
    hop followed, whose claim is another one. LIVE: a worker sends it at this moment.
    """

    MISSING = 0
    WENT_ON = 1
    TOLD = 2
    LIVE = 3


def claim_key(cache: Cache, message: NotificationMessage) -> str:
    """Where the claim for one hop is."""
    ident = f"{message.id}:{message.generation}:{message.hop}"
    return cache.durable_key("claim", ident)


def lease_key(cache: Cache, owner: str) -> str:
    """What exists while this owner of claims is alive."""
    return cache.durable_key("lease", owner)


def complete_since_key(cache: Cache) -> str:
    """Where it is noted since when all claims are there."""
    return cache.durable_key("claims", "complete-since")


class Claims:
    """Looks at claims, and takes none. Every method raises CacheUnavailable."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._state = cache.script(_STATE)
        self._complete_since = cache.script(_COMPLETE_SINCE)

    async def states(self, messages: Sequence[NotificationMessage]) -> list[ClaimState]:
        """The state of each message's claim, in order."""
        if not messages:
            return []
        lease_prefix = lease_key(self._cache, "")
        answers = await self._state.run_many(
            [([claim_key(self._cache, message)], [lease_prefix]) for message in messages]
        )
        return [ClaimState(answer) for answer in answers]

    async def complete_since(self) -> datetime:
        """Every send that began since then, if not a day ago, has its claim in this Redis."""
        return await self._remember(begin_anew=False)

    async def begin_anew(self) -> None:
        """Sends went on without claims until now."""
        await self._remember(begin_anew=True)

    async def _remember(self, *, begin_anew: bool) -> datetime:
        key = complete_since_key(self._cache)
        seconds: int = await self._complete_since([key], [_REMEMBERED_SECONDS, int(begin_anew)])
        return datetime.fromtimestamp(seconds, UTC)
