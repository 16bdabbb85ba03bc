"""From a message to what became of it.

profile → may we? → template → content → slot and turn → licence → provider → outcome
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, TypeVar

from shared.delivery.attempt import UNKNOWN, Attempts, doubtful
from shared.delivery.channel import Address, ChannelKind
from shared.delivery.decision import refusal, too_late
from shared.delivery.judgement import Judge
from shared.delivery.licence import Licences, Ruling
from shared.delivery.outcome import Dead, Deferred, Outcome, Retry, Skipped
from shared.delivery.people import People
from shared.delivery.pool import ProviderPool, Turn
from shared.delivery.recollection import BUSY_SECONDS
from shared.delivery.templates import Templates
from shared.errors import CarillonError
from shared.messaging.topology import lane
from shared.observability import discretion
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Mode, Reason
from shared.schemas.wire import NotificationMessage

Content = TypeVar("Content")

_LATER_SECONDS = 2.0
_PATIENCE_SECONDS = 30.0
_MOST_RETURNS = 20


class NotNow(CarillonError):
    """It cannot be told now, or no provider can be used: the message goes back to its queue."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the copy for one device (`device` is empty where there is only one)."""

    device: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Ready:
    """Everything was decided in favour of sending, on this version of the profile."""

    version: int
    fields: dict[str, str]
    addresses: Sequence[Address]

    def still(self, device: str) -> Address | None:
        return next((a for a in self.addresses if a.device == device), None)


@dataclass(frozen=True, slots=True)
class _Errand:
    """One message on its way: what may have been sent before needs a claim to go out."""

    message: NotificationMessage
    begin: Callable[[], None]
    needs_claim: bool
    is_alone: bool = True


class Pipeline(Generic[Content]):
    """The path of one message through one channel; holds no state of any message."""

    def __init__(
        self,
        channel: ChannelKind[Content],
        people: People,
        templates: Templates,
        licences: Licences,
        pool: ProviderPool[Content],
        judge: Judge,
    ) -> None:
        self._channel = channel
        self._people = people
        self._templates = templates
        self._licences = licences
        self._pool = pool
        self._judge = judge
        self._attempts = Attempts(pool, people, judge)

    async def deliver(
        self,
        message: NotificationMessage,
        begin: Callable[[], None] = lambda: None,
        *,
        returns: int = 0,
    ) -> list[Result]:
        """What became of each copy; raises NotNow when nothing was begun.

        Until `begin` is called nobody outside knows of it, and it may be cancelled. `returns` is
        how often it was in a worker's hands before.
        """
        if self._pool.is_out:
            raise NotNow
        errand = _Errand(message, begin, needs_claim=await self._needs_claim(returns))
        if message.sensitive is None:
            await self._learn_secrets(message)
        try:
            ready = await self._decide(message)
        except Exception as error:  # noqa: BLE001 - judged, and logged when it is a bug
            return await self._unsent(message, self._attempts.judged(error, message))
        if not isinstance(ready, _Ready):
            return await self._unsent(message, ready)
        if len(ready.addresses) == 1:
            return [await self._deliver_to(errand, ready, ready.addresses[0])]
        errand = replace(errand, is_alone=False)
        sends = [self._deliver_to(errand, ready, address) for address in ready.addresses]
        results = await asyncio.gather(*sends)
        return list({result.device: result for result in results}.values())

    async def _needs_claim(self, returns: int) -> bool:
        """Whether it must not go out while nobody can tell if it went out before.

        It waits for Redis, but not for ever: a repeat does less harm than silence.
        """
        if not 0 < returns < _MOST_RETURNS:
            return False
        return await self._licences.can_be_had(_PATIENCE_SECONDS)

    async def _unsent(self, message: NotificationMessage, outcome: Outcome) -> list[Result]:
        """The results of a message for which nothing is sent now, whatever the reason.

        An earlier copy, or a worker that died, may have sent it when there was none: what that
        came to stands.
        """
        known = await self._licences.recall(message)
        if not known.outcomes:
            return [Result("", outcome)]
        goes_on = isinstance(outcome, Retry | Deferred)
        if goes_on and not known.is_whole and set(known.outcomes) != {""}:
            # Which devices are left is known only when this very hop can be decided again.
            await asyncio.sleep(_LATER_SECONDS)
            raise NotNow
        return [
            Result(device, earlier or self._with_doubt(outcome, message))
            for device, earlier in known.outcomes.items()
        ]

    async def _instead(self, message: NotificationMessage, device: str, outcome: Outcome) -> Result:
        """The result for one device that nothing is sent to now, if it was not sent to before."""
        known = (await self._licences.recall(message)).outcomes
        for name in (device, ""):
            if name in known:
                return Result(name, known[name] or self._with_doubt(outcome, message))
        return Result(device, outcome)

    def _with_doubt(self, outcome: Outcome, message: NotificationMessage) -> Outcome:
        """The outcome of a delivery that a worker died over before."""
        is_held = self._judge.rule(message) == "hold"
        return UNKNOWN if is_held else doubtful(outcome, takes=2)

    async def _learn_secrets(self, message: NotificationMessage) -> None:
        """Whatever becomes of it: what is no secret can be shown and kept."""
        with contextlib.suppress(CarillonError):
            if text := await self._templates.get(message, None):
                discretion.learn(text.sensitive)

    async def _decide(
        self, message: NotificationMessage, *, fresh: bool = False
    ) -> _Ready | Skipped | Dead:
        if ended := too_late(message, datetime.now(UTC)):
            return ended
        look_up = self._people.fresh if fresh else self._people.get
        profile = await look_up(message.user_id)
        refused = refusal(message, profile)
        if refused or profile is None:
            return refused or Dead(reason=Reason.USER_NOT_FOUND)
        addresses = self._addresses(message, profile)
        if not addresses:
            return Skipped(reason=Reason.NO_ADDRESS)
        text = await self._templates.get(message, profile.language)
        if text is not None:
            discretion.learn(text.sensitive)
        if text is None or text.channel != message.channel:
            return Dead(reason=Reason.TEMPLATE_NOT_FOUND)
        if message.template_version is None and not text.active:
            return Dead(reason=Reason.TEMPLATE_INACTIVE)
        return _Ready(profile.version, text.compiled.render(message.variables), addresses)

    def _addresses(self, message: NotificationMessage, profile: Profile) -> Sequence[Address]:
        if message.recipient is not None:
            profile = message.recipient.in_place_of_those_in(profile)
        addresses = self._channel.addresses(profile)
        if message.devices is None:
            return addresses
        return [address for address in addresses if address.device in message.devices]

    async def _deliver_to(self, errand: _Errand, ready: _Ready, address: Address) -> Result:
        message, device = errand.message, address.device
        try:
            on_lane = lane(message.channel, message.priority)
            async with self._pool.slots[on_lane]:
                self._check_pool(errand)
                turn = None if message.mode is Mode.TEST else await self._pool.turn(on_lane)
                self._check_pool(errand)
                errand.begin()
                if ended := too_late(message, datetime.now(UTC)):
                    return Result(device, ended)
                return await self._send(errand, ready, address, turn)
        except NotNow:
            raise
        except Exception as error:  # noqa: BLE001 - judged, and logged when it is a bug
            outcome = self._attempts.judged(error, message)
        return await self._instead(message, device, outcome)

    def _check_pool(self, errand: _Errand) -> None:
        """A lone copy that nothing was done for can wait in its queue."""
        if self._pool.is_out and errand.is_alone:
            raise NotNow

    async def _send(
        self, errand: _Errand, ready: _Ready, address: Address, turn: Turn[Content] | None
    ) -> Result:
        """Sends under a licence; a profile that changed meanwhile is decided on again."""
        message, device = errand.message, address.device
        while True:
            content = self._channel.compose(ready.fields, message, address)
            ruling = await self._ruling(errand, ready, device)
            if ruling.verdict == "settled" and ruling.outcome is not None:
                return Result(ruling.device, ruling.outcome)
            if ruling.verdict == "unknown":
                return Result(device, UNKNOWN)
            if ruling.verdict == "granted":
                sent = await self._attempts.make(message, content, address, turn, ruling.takes)
                return Result(device, sent)
            decided = (
                Skipped(reason=Reason.CANCELLED)
                if ruling.verdict == "cancelled"
                else await self._decide(message, fresh=ruling.verdict == "unclaimed")
            )
            if not isinstance(decided, _Ready):
                return await self._instead(message, device, decided)
            current = decided.still(device)
            if current is None:
                return await self._instead(message, device, Skipped(reason=Reason.NO_ADDRESS))
            ready, address = decided, current
            if ruling.verdict == "unclaimed":
                content = self._channel.compose(ready.fields, message, address)
                return Result(device, await self._attempts.make(message, content, address, turn, 1))

    async def _ruling(self, errand: _Errand, ready: _Ready, device: str) -> Ruling:
        """What the licence says, once no other worker has it in hand."""
        message, needs_claim = errand.message, errand.needs_claim
        on_unknown = self._judge.rule(message)
        while True:
            ruling = await self._licences.apply(
                message, device, version=ready.version, on_unknown=on_unknown
            )
            if ruling.verdict == "busy":
                await asyncio.sleep(BUSY_SECONDS)
            elif ruling.verdict != "unclaimed" or not needs_claim:
                return ruling
            elif errand.is_alone:
                raise NotNow
            else:
                needs_claim = False
                await self._licences.can_be_had(_PATIENCE_SECONDS)
