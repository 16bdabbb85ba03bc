"""What earlier copies of a message came to, for whoever would decide otherwise now."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.batching import Gatherer
from shared.cache import Cache
from shared.delivery.claims import claim_key, lease_key
from shared.delivery.memory import Memory
from shared.delivery.outcome import OUTCOME, Outcome
from shared.errors import CacheUnavailable
from shared.schemas.wire import NotificationMessage

BUSY_SECONDS = 0.5
"""How long to wait before asking again for what another worker sends."""

# KEYS: claim. ARGV: owner, lease key prefix. Answers: {'busy'}, or whether it is whole and, for
# each device that was claimed before, its name and its outcome ('' where nobody knows it).
_RECALL = """
local claim = {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do claim[flat[i]] = flat[i + 1] end
local answer = {claim['whole'] or '0'}
for field, state in pairs(claim) do
  local device = string.match(field, '^state:(.*)$')
  if device then
    local owner = claim['owner:' .. device]
    if state == 'sending' and owner ~= ARGV[1]
       and redis.call('EXISTS', ARGV[2] .. owner) == 1 then return {'busy'} end
    answer[#answer + 1] = device
    answer[#answer + 1] = state == 'settled' and claim['outcome:' .. device] or ''
  end
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Recollection:
    """What is known of earlier tries of the very same hop.

    `outcomes` by device; None where a send began and nobody knows how it ended. `is_whole`: the
    hop had come to its end, and no device is missing.
    """

    outcomes: Mapping[str, Outcome | None]
    is_whole: bool


class Recollections:
    """Looks claims up, for the worker that is their `owner`."""

    def __init__(self, cache: Cache, owner: str, memory: Memory) -> None:
        self._cache = cache
        self._owner = owner
        self._memory = memory
        self._recall = cache.script(_RECALL)
        self._together = Gatherer(self._look_up, max_items=500, max_running=2)

    async def __call__(self, message: NotificationMessage) -> Recollection:
        """What is known; waits while another worker sends it. Without Redis: what we did."""
        claim = claim_key(self._cache, message)
        if owed := self._memory.owed(claim):
            return Recollection(owed, is_whole=True)
        while True:
            try:
                known = await self._together(claim)
            except CacheUnavailable:
                ours = self._memory.known(claim)
                return Recollection(ours, is_whole=bool(ours))
            if known is not None:
                return known
            await asyncio.sleep(BUSY_SECONDS)

    async def _look_up(self, claims: list[str]) -> Sequence[Recollection | ValueError | None]:
        arguments = [self._owner, lease_key(self._cache, "")]
        answers = await self._recall.run_many([([claim], arguments) for claim in claims])
        return [_recollection(answer) for answer in answers]


def _recollection(answer: list[bytes]) -> Recollection | ValueError | None:
    """None: another worker is at it."""
    if answer[0] == b"busy":
        return None
    devices, outcomes = answer[1::2], answer[2::2]
    try:
        known = {
            device.decode(): OUTCOME.validate_json(outcome) if outcome else None
            for device, outcome in zip(devices, outcomes, strict=True)
        }
    except ValueError as error:
        return error
    return Recollection(known, is_whole=answer[0] == b"1")
