"""From a message to what became of it.

profile → may we? → template → content → licence → provider → outcome
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

import structlog

from shared.delivery.channel import Address, ChannelKind
from shared.delivery.decision import refusal, too_late
from shared.delivery.judgement import Judge
from shared.delivery.licence import Licences
from shared.delivery.outcome import Dead, Outcome, Sent, Skipped
from shared.delivery.people import People
from shared.delivery.pool import ProviderPool
from shared.delivery.provider import Receipt
from shared.delivery.templates import Templates
from shared.errors import CarillonError, NeighbourUnavailable, ProviderError, TokenInvalid
from shared.messaging.topology import lane
from shared.rendering import RenderingError
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Mode, Reason
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()

Content = TypeVar("Content")

_BUSY_SECONDS = 0.5


class NotNow(CarillonError):
    """No provider can be used: the message is left as it is, in its queue."""


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

    async def deliver(self, message: NotificationMessage) -> list[Result]:
        """What became of each copy; raises NotNow when nothing was begun."""
        if self._pool.is_out:
            raise NotNow
        try:
            ready = await self._decide(message)
        except Exception as error:  # noqa: BLE001 - judged, and logged when it is a bug
            return [Result("", self._judged(error, message))]
        if not isinstance(ready, _Ready):
            return [Result("", ready)]
        several = len(ready.addresses) > 1
        sends = [self._deliver_to(message, ready, a, several) for a in ready.addresses]
        return list(await asyncio.gather(*sends))

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
        if text is None or text.channel != message.channel:
            return Dead(reason=Reason.TEMPLATE_NOT_FOUND)
        if message.template_version is None and not text.active:
            return Dead(reason=Reason.TEMPLATE_INACTIVE)
        return _Ready(profile.version, text.compiled.render(message.variables), addresses)

    def _addresses(self, message: NotificationMessage, profile: Profile) -> Sequence[Address]:
        addresses = self._channel.addresses(profile)
        if message.devices is None:
            return addresses
        return [address for address in addresses if address.device in message.devices]

    async def _deliver_to(
        self, message: NotificationMessage, ready: _Ready, address: Address, several: bool
    ) -> Result:
        try:
            async with self._pool.slots[lane(message.channel, message.priority)]:
                self._check_pool(several=several)
                outcome = await self._send(message, ready, address)
        except NotNow:
            raise
        except Exception as error:  # noqa: BLE001 - judged, and logged when it is a bug
            if isinstance(error, TokenInvalid) and address.target is not None:
                await self._people.report_dead(
                    message.user_id, address.target.id, address.target.value
                )
            outcome = self._judged(error, message)
        return Result(address.device, outcome)

    def _check_pool(self, *, several: bool) -> None:
        """A lone copy that nothing was done for can wait in its queue."""
        if self._pool.is_out and not several:
            raise NotNow

    async def _send(self, message: NotificationMessage, ready: _Ready, address: Address) -> Outcome:
        """Sends under a licence; a profile that changed meanwhile is decided on again."""
        device = address.device
        while True:
            content = self._channel.compose(ready.fields, message, address)
            ruling = await self._licences.apply(
                message, device, version=ready.version, on_unknown=self._channel.on_unknown
            )
            if ruling.verdict == "settled" and ruling.outcome is not None:
                return ruling.outcome
            if ruling.verdict == "unknown":
                return Dead(
                    reason=Reason.OUTCOME_UNKNOWN, detail="a worker died while it sent this"
                )
            if ruling.verdict == "granted":
                receipt = await self._transmit(message, content, device)
                return _sent(receipt, ruling.takes)
            if ruling.verdict == "busy":
                await asyncio.sleep(_BUSY_SECONDS)
                continue
            decided = await self._decide(message, fresh=ruling.verdict == "unclaimed")
            if not isinstance(decided, _Ready):
                return decided
            current = decided.still(device)
            if current is None:
                return Skipped(reason=Reason.NO_ADDRESS)
            ready, address = decided, current
            if ruling.verdict == "unclaimed":
                content = self._channel.compose(ready.fields, message, address)
                return _sent(await self._transmit(message, content, device), 1)

    async def _transmit(
        self, message: NotificationMessage, content: Content, device: str
    ) -> Receipt:
        if message.mode is Mode.TEST:
            return Receipt("simulated")
        key = f"{message.id}.{message.generation}"
        return await self._pool.send(content, key=f"{key}.{device}" if device else key)

    def _judged(self, error: Exception, message: NotificationMessage) -> Outcome:
        if not isinstance(error, ProviderError | NeighbourUnavailable | RenderingError):
            log.error("unexpected error in a delivery", id=str(message.id), exc_info=error)
        provider = getattr(error, "provider", None)
        return self._judge.outcome(error, message, datetime.now(UTC), provider)


def _sent(receipt: Receipt, takes: int) -> Sent:
    detail = "sent again: the outcome of an earlier send is unknown" if takes > 1 else None
    return Sent(
        provider=receipt.provider, message_id=receipt.message_id, takes=takes, detail=detail
    )
