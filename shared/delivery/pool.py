"""The providers of one channel: which may be used now, and how many sends each lane may have."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from shared.delivery.member import NOT_REACHED, Member
from shared.delivery.provider import Provider, Receipt
from shared.delivery.turnstile import Turnstile
from shared.errors import BreakerOpen, ProviderError, ProviderUnavailable
from shared.observability.metrics import FAILOVERS

log = structlog.get_logger()

Content = TypeVar("Content")

LONGEST_WAIT_SECONDS = 60.0
_WAIT_UNDER_CLAIM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Turn(Generic[Content]):
    """The permission to call one provider now, as far as its send rate goes."""

    member: Member[Content]
    urgency: int


class ProviderPool(Generic[Content]):
    """Providers in order of preference; a resource, opened after its `members`.

    A message goes to the first provider that is well. One in doubt is passed by while another is
    not, and probed meanwhile: no message tries it out. While every breaker is open the pool is
    out: `on_out` is told then, and `on_back` when a probe succeeds.

    `slots` are the lanes, the most urgent first. A provider without a turnstile may be called at
    any rate.
    """

    essential = False

    def __init__(
        self,
        name: str,
        providers: Sequence[Provider[Content]],
        slots: Mapping[str, int],
        *,
        failures: int,
        recovery_seconds: float,
        turnstiles: Mapping[str, Turnstile] | None = None,
    ) -> None:
        self.name = name
        self.members = [
            Member(
                provider,
                failures=failures,
                recovery_seconds=recovery_seconds,
                turnstile=(turnstiles or {}).get(provider.name),
            )
            for provider in providers
        ]
        self._urgency = {lane: urgency for urgency, lane in enumerate(slots)}
        self.slots = {lane: asyncio.Semaphore(count) for lane, count in slots.items()}
        self._on_out: list[Callable[[], None]] = []
        self._on_back: list[Callable[[], None]] = []
        self._was_out = False
        self._first_look: asyncio.Task[None] | None = None
        for member in self.members:
            member.breaker.on_opened(self._tell)
            member.breaker.on_closed(self._tell)

    @property
    def is_out(self) -> bool:
        return not any(member.is_usable for member in self.members)

    def watch(self, *, on_out: Callable[[], None], on_back: Callable[[], None]) -> None:
        self._on_out.append(on_out)
        self._on_back.append(on_back)

    async def open(self) -> None:
        # A wrong password is known before the first message, and nothing waits for that.
        self._first_look = asyncio.create_task(self._look())

    async def close(self) -> None:
        if self._first_look is not None:
            self._first_look.cancel()
            await asyncio.gather(self._first_look, return_exceptions=True)

    async def turn(self, lane: str) -> Turn[Content]:
        """Waits until the provider that comes first may be called; nothing is claimed meanwhile.

        Raises ProviderUnavailable when none can be used, or that would take too long.
        """
        urgency, order = self._urgency[lane], self._in_order()
        if not order:
            raise _none_reached([])
        await order[0].wait_for_turn(urgency, patience=LONGEST_WAIT_SECONDS)
        return Turn(order[0], urgency)

    async def send(self, content: Content, *, key: str, turn: Turn[Content]) -> Receipt:
        """Sends through the first provider that can be reached.

        Another one than had its turn is waited for only briefly: the message is claimed by now.
        Raises what that provider said of the message, or ProviderUnavailable when none was
        reached. After an unknown outcome no other provider is tried: it would be a second copy.
        """
        failures: list[ProviderError] = []
        for member in self._in_order():
            try:
                if member is not turn.member:
                    await member.wait_for_turn(turn.urgency, patience=_WAIT_UNDER_CLAIM_SECONDS)
                receipt = await member.send(content, key=key)
            except BreakerOpen:
                continue
            except NOT_REACHED as error:
                log.warning("provider not reached", provider=member.name, detail=str(error))
                self._doubt(member)
                failures.append(error)
            except ProviderError as error:
                error.provider = member.name
                self._doubt(member)
                raise
            else:
                if member is not self.members[0]:
                    FAILOVERS.labels(member.name).inc()
                return receipt
        raise _none_reached(failures)

    def _in_order(self) -> list[Member[Content]]:
        """Those that may be used now, the well ones first."""
        for member in self.members:
            self._doubt(member)
        usable = [member for member in self.members if member.is_usable]
        return sorted(usable, key=lambda member: member.is_in_doubt)

    def _doubt(self, member: Member[Content]) -> None:
        """Has a member in doubt probed, where others can take its messages meanwhile.

        A single one is tried out by the next message: it would only wait.
        """
        if len(self.members) > 1 and member.is_in_doubt:
            member.look_after()

    async def _look(self) -> None:
        await asyncio.gather(*(member.probe() for member in self.members))
        for member in self.members:
            self._doubt(member)

    def _tell(self) -> None:
        if self.is_out is self._was_out:
            return
        self._was_out = self.is_out
        if self.is_out:
            log.warning("no provider left: the lanes pause", pool=self.name)
        else:
            log.info("a provider is back: the lanes resume", pool=self.name)
        for tell in self._on_out if self.is_out else self._on_back:
            tell()


def _none_reached(failures: list[ProviderError]) -> ProviderUnavailable:
    """The message may be tried again when the first of them allows it."""
    if not failures:
        return ProviderUnavailable("every provider is paused after repeated failures")
    asked = min(failure.retry_after or 0.0 for failure in failures)
    said = "; ".join(str(failure) for failure in failures)
    return ProviderUnavailable(said, retry_after=asked)
