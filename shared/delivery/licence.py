"""The licence to send: one Redis round trip, joined for all messages that stand at this point.

It makes two things certain at one instant: the profile is still the one that was decided on, and
nobody else sends this very delivery. A claim goes from nothing to `sending`, and from `sending`
to `settled` with its outcome.

A claim is a hash: `state`, `owner`, `takes`, `outcome`. An owner is alive while its lease key
exists; it renews that every few seconds, so a killed worker's claims are free soon after.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from shared.background import Background, Job
from shared.batching import Gatherer
from shared.cache import Cache, profile_key
from shared.delivery.outcome import OUTCOME, Outcome
from shared.errors import CacheUnavailable
from shared.schemas.wire import NotificationMessage

CLAIM_TTL_SECONDS = 86_400
LEASE_SECONDS = 10.0
_RENEW_SECONDS = 2.0

# KEYS: claim, profile. ARGV: owner, lease key prefix, the profile's version, TTL (s), and what to
# do with a send whose owner died. Answers: {verdict, detail}.
_TAKE = """
local claim = redis.call('HMGET', KEYS[1], 'state', 'owner', 'takes', 'outcome')
if claim[1] == 'settled' then return {'settled', claim[4]} end
if claim[1] == 'sending' then
  local is_another = claim[2] ~= ARGV[1]
  if is_another and redis.call('EXISTS', ARGV[2] .. claim[2]) == 1 then
    return {'busy', claim[2]}
  end
  if ARGV[5] == 'hold' then return {'unknown', claim[2]} end
end
local version = string.match(redis.call('GETRANGE', KEYS[2], 0, 20), '^(%d+)|')
if version ~= ARGV[3] then return {'stale', version or ''} end
local takes = redis.call('HINCRBY', KEYS[1], 'takes', 1)
redis.call('HSET', KEYS[1], 'state', 'sending', 'owner', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {'granted', tostring(takes)}
"""

# KEYS: claim. ARGV: outcome, TTL (s).
_SETTLE = """
redis.call('HSET', KEYS[1], 'state', 'settled', 'outcome', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS: claim. ARGV: owner. Gives a claim back that was taken and not used.
_RETURN = """
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1]
   and redis.call('HGET', KEYS[1], 'state') == 'sending' then
  if redis.call('HGET', KEYS[1], 'takes') == '1' then redis.call('DEL', KEYS[1])
  else redis.call('HSET', KEYS[1], 'owner', '') end
end
return 1
"""

Verdict = Literal["granted", "stale", "busy", "settled", "unknown", "unclaimed"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the licence says.

    granted    send now; `takes` above 1 means that an earlier send's outcome is unknown
    stale      the profile changed: decide again
    busy       another worker sends it at this moment: wait
    settled    it was sent or decided before: publish `outcome` again
    unknown    an earlier send ended without a record, and the channel holds such messages
    unclaimed  Redis is away: go on without a claim
    """

    verdict: Verdict
    takes: int = 1
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class _Application:
    claim: str
    user_id: int
    version: int
    on_unknown: str


class Licences(Background):
    """Takes and settles claims for one worker process, and keeps its lease."""

    name = "claims"

    def __init__(self, cache: Cache) -> None:
        super().__init__()
        self._cache = cache
        self._owner = uuid4().hex
        self._take = cache.script(_TAKE)
        self._settle = cache.script(_SETTLE)
        self._return = cache.script(_RETURN)
        self._applications = Gatherer(self._apply, max_items=500, max_running=2)

    def jobs(self) -> Sequence[Job]:
        return (self._keep,)

    async def open(self) -> None:
        with contextlib.suppress(CacheUnavailable):
            await self._renew()
        await super().open()

    async def close(self) -> None:
        await super().close()
        with contextlib.suppress(CacheUnavailable):
            await self._cache.command("DEL", self._lease_key(self._owner))

    async def apply(
        self, message: NotificationMessage, device: str, *, version: int, on_unknown: str
    ) -> Ruling:
        """Asks for the licence to send one delivery."""
        claim = self._claim_key(message, device)
        try:
            return await self._applications(
                _Application(claim, message.user_id, version, on_unknown)
            )
        except CacheUnavailable:
            return Ruling("unclaimed")

    async def settle(self, outcomes: Sequence[tuple[NotificationMessage, str, Outcome]]) -> None:
        """Stores what became of each delivery; raises CacheUnavailable."""
        if outcomes:
            await self._settle.run_many(
                [
                    (
                        [self._claim_key(message, device)],
                        [outcome.model_dump_json(exclude_none=True), CLAIM_TTL_SECONDS],
                    )
                    for message, device, outcome in outcomes
                ]
            )

    async def give_back(self, message: NotificationMessage, device: str) -> None:
        """Frees a claim whose send never began."""
        with contextlib.suppress(CacheUnavailable):
            await self._return([self._claim_key(message, device)], [self._owner])

    async def _apply(self, applications: list[_Application]) -> Sequence[Ruling]:
        lease_prefix = self._lease_key("")
        calls: list[tuple[list[str], list[str | int]]] = [
            (
                [a.claim, profile_key(self._cache, a.user_id)],
                [self._owner, lease_prefix, str(a.version), CLAIM_TTL_SECONDS, a.on_unknown],
            )
            for a in applications
        ]
        return [_ruling(answer) for answer in await self._take.run_many(calls)]

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with contextlib.suppress(CacheUnavailable):
                await self._renew()

    async def _renew(self) -> None:
        await self._cache.command(
            "SET", self._lease_key(self._owner), "1", "PX", int(LEASE_SECONDS * 1000)
        )

    def _claim_key(self, message: NotificationMessage, device: str) -> str:
        ident = f"{message.id}:{device}:{message.generation}:{message.hop}"
        return self._cache.durable_key("claim", ident)

    def _lease_key(self, owner: str) -> str:
        return self._cache.durable_key("lease", owner)


def _ruling(answer: list[Any]) -> Ruling:
    verdict, detail = answer[0].decode(), answer[1]
    if verdict == "granted":
        return Ruling("granted", takes=int(detail))
    if verdict == "settled":
        return Ruling("settled", outcome=OUTCOME.validate_json(detail))
    return Ruling(verdict)
