"""The licence to send: one Redis round trip, joined for all messages that stand at this point.

It makes two things certain at one instant: the profile is still the one that was decided on, and
nobody else sends this very delivery. What belongs to a cancelled batch gets none. A claim goes
from nothing to `sending`, and from `sending` to `settled` with its outcome.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid4

from shared.background import Background, Job
from shared.batching import Gatherer
from shared.cache import Cache, profile_key
from shared.delivery.cancelled import cancelled_key
from shared.delivery.claims import (
    CLAIM_TTL_SECONDS,
    LEASE_SECONDS,
    Claims,
    claim_key,
    lease_key,
)
from shared.delivery.memory import Memory, Settled
from shared.delivery.outcome import OUTCOME, Outcome, Sent
from shared.delivery.recollection import Recollections
from shared.errors import CacheUnavailable
from shared.schemas.vocabulary import OnUnknown
from shared.schemas.wire import NotificationMessage

_RENEW_SECONDS = 2.0
_AGAIN_SECONDS = 0.5

# KEYS: claim, profile, and the mark that the message's batch is cancelled, if it has a batch.
# ARGV: device, owner, lease key prefix, the profile's version, TTL (s), what to do with a send
# whose owner died, lease (ms). Answers: {verdict, detail, device}. What was settled under no
# device's name was settled for all of them, before any was known.
_TAKE = """
local device, owner = ARGV[1], ARGV[2]
local claim = redis.call(
  'HMGET', KEYS[1], 'state:' .. device, 'owner:' .. device, 'outcome:' .. device,
  'state:', 'outcome:')
if claim[1] == 'settled' then return {'settled', claim[3], device} end
if claim[4] == 'settled' then return {'settled', claim[5], ''} end
if claim[1] == 'sending' then
  if claim[2] ~= owner and redis.call('EXISTS', ARGV[3] .. claim[2]) == 1 then
    return {'busy', claim[2]}
  end
  if ARGV[6] == 'hold' then return {'unknown', claim[2]} end
end
if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 1 then return {'cancelled', ''} end
local version = string.match(redis.call('GETRANGE', KEYS[2], 0, 20), '^(%d+)|')
if version ~= ARGV[4] then return {'stale', version or ''} end
local takes = redis.call('HINCRBY', KEYS[1], 'takes:' .. device, 1)
redis.call('HSET', KEYS[1], 'state:' .. device, 'sending', 'owner:' .. device, owner)
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('SET', ARGV[3] .. owner, '1', 'PX', ARGV[7], 'NX')
return {'granted', tostring(takes)}
"""

# KEYS: claim. ARGV: device, outcome, TTL (s). `whole`: no device of this hop is left out. Answers:
# the outcome that stands; the first does.
_SETTLE = """
local claim = redis.call('HMGET', KEYS[1], 'state:' .. ARGV[1], 'outcome:' .. ARGV[1])
if claim[1] == 'settled' then return claim[2] end
redis.call(
  'HSET', KEYS[1], 'whole', '1', 'state:' .. ARGV[1], 'settled', 'outcome:' .. ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return ARGV[2]
"""

Verdict = Literal["granted", "stale", "busy", "settled", "unknown", "cancelled", "unclaimed"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the licence says.

    granted    send now; `takes` above 1 means that an earlier send's outcome is unknown
    stale      the profile changed: decide again
    busy       another worker sends it at this moment: wait
    settled    it was sent or decided before, under the name `device`: publish `outcome` again
    unknown    an earlier send ended without a record, and the channel holds such messages
    cancelled  its batch was cancelled: send nothing
    unclaimed  Redis is away: go on without a claim
    """

    verdict: Verdict
    takes: int = 1
    outcome: Outcome | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class _Application:
    claim: str
    user_id: int
    batch_id: UUID | None
    device: str
    version: int
    on_unknown: OnUnknown


class Licences(Background):
    """Takes and settles claims for one worker process, and keeps its lease."""

    name = "claims"

    def __init__(self, cache: Cache) -> None:
        super().__init__()
        self._cache = cache
        self._owner = uuid4().hex
        self._take = cache.script(_TAKE)
        self._settle = cache.script(_SETTLE)
        self._memory = Memory()
        self.recall = Recollections(cache, self._owner, self._memory)
        self._applications = Gatherer(self._apply, max_items=500, max_running=1)
        self._claims = Claims(cache)
        self._some_are_missing = False

    def jobs(self) -> Sequence[Job]:
        return (self._keep,)

    async def open(self) -> None:
        with contextlib.suppress(CacheUnavailable):
            await self._renew()
        await super().open()

    async def close(self) -> None:
        await super().close()
        with contextlib.suppress(CacheUnavailable):
            await self._pay()
            await self._cache.command("DEL", lease_key(self._cache, self._owner))

    async def can_be_had(self, patience: float) -> bool:
        """Whether Redis takes claims; waits for that, at most `patience` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while True:
                    with contextlib.suppress(CacheUnavailable):
                        await self._renew()
                        return True
                    await asyncio.sleep(_AGAIN_SECONDS)
        return False

    async def apply(
        self, message: NotificationMessage, device: str, *, version: int, on_unknown: OnUnknown
    ) -> Ruling:
        """Asks for the licence to send one delivery."""
        claim = claim_key(self._cache, message)
        if owed := _settled(self._memory.owed(claim), device):
            return owed
        try:
            return await self._applications(
                _Application(claim, message.user_id, message.batch_id, device, version, on_unknown)
            )
        except CacheUnavailable:
            if known := _settled(self._memory.known(claim), device):
                return known
            self._some_are_missing = True
            return Ruling("unclaimed")

    async def settle(
        self, outcomes: Sequence[tuple[NotificationMessage, str, Outcome]]
    ) -> list[Outcome]:
        """Stores what became of each delivery, of all devices of a hop together.

        Returns what stands: whoever comes second, because he was taken for dead, learns here what
        the first has settled. Raises CacheUnavailable; Redis is told as soon as it is back.
        """
        settled = [
            (claim_key(self._cache, message), device, outcome)
            for message, device, outcome in outcomes
        ]
        try:
            standing = await self._store(settled)
        except CacheUnavailable:
            self._memory.owe(settled)
            raise
        self._memory.keep(standing)
        return [outcome for _, _, outcome in standing]

    async def _store(self, settled: Sequence[Settled]) -> list[Settled]:
        """Tells Redis of outcomes; those that stand there."""
        if not settled:
            return []
        stored = await self._settle.run_many(
            [
                ([claim], [device, outcome.model_dump_json(exclude_none=True), CLAIM_TTL_SECONDS])
                for claim, device, outcome in settled
            ]
        )
        return [
            (claim, device, _standing(ours, stands))
            for (claim, device, ours), stands in zip(settled, stored, strict=True)
        ]

    async def _pay(self) -> None:
        """Tells Redis what it could not be told before."""
        while owed := self._memory.next_owed():
            self._memory.keep(await self._store(owed))
            self._memory.paid(owed)

    async def _apply(self, applications: list[_Application]) -> Sequence[Ruling | ValueError]:
        lease_prefix, lease_ms = lease_key(self._cache, ""), int(LEASE_SECONDS * 1000)
        calls: list[tuple[list[str], list[str | int]]] = [
            (
                self._keys(a),
                [
                    *(a.device, self._owner, lease_prefix, str(a.version)),
                    *(CLAIM_TTL_SECONDS, a.on_unknown, lease_ms),
                ],
            )
            for a in applications
        ]
        return [_ruling(answer) for answer in await self._take.run_many(calls)]

    def _keys(self, application: _Application) -> list[str]:
        keys = [application.claim, profile_key(self._cache, application.user_id)]
        if application.batch_id is not None:
            keys.append(cancelled_key(self._cache, application.batch_id))
        return keys

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with contextlib.suppress(CacheUnavailable):
                await self._renew()
                await self._tell_of_missing()
                await self._pay()

    async def _tell_of_missing(self) -> None:
        """So that nobody believes later that what has no claim was never sent."""
        if self._some_are_missing:
            self._some_are_missing = False
            try:
                await self._claims.begin_anew()
            except CacheUnavailable:
                self._some_are_missing = True
                raise

    async def _renew(self) -> None:
        await self._cache.command(
            "SET", lease_key(self._cache, self._owner), "1", "PX", int(LEASE_SECONDS * 1000)
        )


def _settled(known: Mapping[str, Outcome], device: str) -> Ruling | None:
    """The ruling on a delivery, if its outcome or that of its whole hop is among those known."""
    return next(
        (Ruling("settled", outcome=known[d], device=d) for d in (device, "") if d in known), None
    )


# An outcome that this process cannot read is the trouble of its own message, not of all that were
# asked for together.


def _ruling(answer: list[Any]) -> Ruling | ValueError:
    verdict, detail = answer[0].decode(), answer[1]
    if verdict == "granted":
        return Ruling("granted", takes=int(detail))
    if verdict == "settled":
        try:
            outcome = OUTCOME.validate_json(detail)
            return Ruling("settled", outcome=outcome, device=answer[2].decode())
        except ValueError as error:
            return error
    return Ruling(verdict)


def _standing(ours: Outcome, stored: bytes) -> Outcome:
    """The first outcome stands, but a receipt is never withheld."""
    if isinstance(ours, Sent):
        return ours
    try:
        return OUTCOME.validate_json(stored)
    except ValueError:
        return ours
