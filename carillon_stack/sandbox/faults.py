"""Faults made on purpose: what a provider does wrong, how often, and to whom.

A list of faults replaces the one before and lives as long as the process. For each try the first
fault that fires is the one that happens.
"""

from __future__ import annotations

import random
from collections import Counter
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from carillon_stack.sandbox.messages import Channel


class FaultKind(StrEnum):
    """What goes wrong. The first three speak about one message, the rest about the provider."""

    REJECT_PERMANENT = "reject_permanent"
    """Refused for good, without blaming the address: SMTP 550 5.7.1, FCM 400, Twilio 30007."""
    REJECT_TRANSIENT = "reject_transient"
    """Refused for now: SMTP 451 4.3.0, FCM 429 for this device, Twilio 429."""
    THROTTLE = "throttle"
    """Too many for this recipient: SMTP 450 4.7.1, else 429 with Retry-After."""
    UNAVAILABLE = "unavailable"
    """Reached, but serving nobody: SMTP 421 4.3.2 and goodbye, else 503."""
    SLOW = "slow"
    """Accepted after `latency_ms`."""
    TIMEOUT = "timeout"
    """No answer for two minutes; nothing kept. SMTP hangs before the message is handed over."""
    DISCONNECT = "disconnect"
    """Connection cut, nothing kept. SMTP cuts before the message is handed over."""
    DISCONNECT_AFTER_ACCEPT = "disconnect_after_accept"
    """Message kept, connection cut in place of the answer."""
    DOWN = "down"
    """Every connection reset at once, from the first byte, until the fault is cleared."""


class Fault(BaseModel):
    """One thing that goes wrong on one channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: Channel
    kind: FaultKind
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of tries it happens to."""
    first: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Only the first so many tries of each recipient."""
    latency_ms: Annotated[int, Field(ge=0, le=120_000)] = 0
    """Time that passes before it happens, in milliseconds."""
    to: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """Only this recipient: the whole address, number or token."""
    retry_after_seconds: Annotated[int, Field(ge=0, le=86_400)] = 2
    """What a throttled or unavailable provider asks the sender to wait."""
    seed: int | None = None
    """Makes the draws of `rate` the same in every run."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.kind is FaultKind.DOWN and (self.rate < 1 or self.first or self.to):
            raise ValueError("down is for everybody and every try: leave out rate, first and to")
        if self.kind is FaultKind.SLOW and self.latency_ms == 0:
            raise ValueError("slow needs latency_ms above 0")
        return self


FAULT_LIST: TypeAdapter[list[Fault]] = TypeAdapter(Annotated[list[Fault], Field(max_length=100)])


class _Draw:
    """Decides for each try whether one fault fires."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._random = random.Random(fault.seed)  # noqa: S311 - chance for tests, not for secrets
        self._tries: Counter[str] = Counter()

    def fires(self, channel: Channel, recipient: str) -> bool:
        fault = self.fault
        if channel != fault.channel or fault.to not in (None, recipient):
            return False
        if fault.first is not None:
            if self._tries[recipient] >= fault.first:
                return False
            self._tries[recipient] += 1
        return fault.rate == 1 or self._random.random() < fault.rate


class FaultTable:
    """The faults that are switched on now."""

    def __init__(self) -> None:
        self._draws: list[_Draw] = []
        self._down: frozenset[Channel] = frozenset()

    @property
    def faults(self) -> list[Fault]:
        return [draw.fault for draw in self._draws]

    def replace(self, faults: list[Fault]) -> None:
        """Switch these on and all others off; counts of tries begin anew."""
        self._draws = [_Draw(fault) for fault in faults]
        self._down = frozenset(f.channel for f in faults if f.kind is FaultKind.DOWN)

    def is_down(self, channel: Channel) -> bool:
        return channel in self._down

    def draw(self, channel: Channel, recipient: str) -> Fault | None:
        """The fault that happens to this try, if any."""
        return next((d.fault for d in self._draws if d.fires(channel, recipient)), None)


Refusal = Literal[
    FaultKind.REJECT_PERMANENT,
    FaultKind.REJECT_TRANSIENT,
    FaultKind.THROTTLE,
    FaultKind.UNAVAILABLE,
]
"""The kinds that a provider puts into words; each emulator has a table of them."""
