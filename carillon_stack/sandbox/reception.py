"""Where a message comes in: faults happen here, then it is kept.

Emulators call `admit` for each recipient and `keep` for what they accept, or `receive` for both,
and put a `Refused` into their provider's words. A `Dropped` is for whoever holds the connection.
"""

from __future__ import annotations

import asyncio

from carillon_stack.sandbox.faults import Fault, FaultKind, FaultTable, Refusal
from carillon_stack.sandbox.messages import Channel, Message
from carillon_stack.sandbox.store import MessageStore

LONGEST_SILENCE = 120.0
"""Seconds a `timeout` stays silent before the connection is cut."""


class Refused(Exception):
    """The provider turns this try away."""

    def __init__(self, kind: Refusal, retry_after: int) -> None:
        super().__init__(kind)
        self.kind: Refusal = kind
        self.retry_after = retry_after


class Dropped(Exception):
    """The connection is to be reset without an answer."""


class Reception:
    """The one way into the store, the same for every emulator."""

    def __init__(self, store: MessageStore, faults: FaultTable) -> None:
        self._store = store
        self._faults = faults

    def answer(self, channel: Channel) -> None:
        """Whether anybody is there at all. Raises Dropped while the channel is down."""
        if self._faults.is_down(channel):
            self._store.reject(channel, FaultKind.DOWN)
            raise Dropped

    async def admit(self, channel: Channel, recipient: str) -> Fault | None:
        """Meet the faults of one try; what is returned belongs to `keep`.

        Raises Refused or Dropped, after the fault's latency.
        """
        self.answer(channel)
        fault = self._faults.draw(channel, recipient)
        if fault is None:
            return None
        await asyncio.sleep(fault.latency_ms / 1000)
        match fault.kind:
            case FaultKind.SLOW:
                return None
            case FaultKind.DISCONNECT_AFTER_ACCEPT:
                return fault
            case FaultKind.DISCONNECT | FaultKind.DOWN:
                self._store.reject(channel, fault.kind)
                raise Dropped
            case FaultKind.TIMEOUT:
                self._store.reject(channel, fault.kind)
                await asyncio.sleep(LONGEST_SILENCE)
                raise Dropped
            case kind:
                self._store.reject(channel, kind)
                raise Refused(kind, fault.retry_after_seconds)

    async def keep(self, message: Message, fault: Fault | None) -> None:
        """Returns when the message is on disk. Raises Dropped where the answer gets lost."""
        await self._store.keep(message)
        if fault is not None:
            raise Dropped

    async def receive(self, message: Message) -> None:
        """`admit` and `keep` for providers that are handed a message in one piece."""
        await self.keep(message, await self.admit(message.channel, message.to))

    def reject(self, channel: Channel) -> None:
        """Count a try that broke the provider's own rules."""
        self._store.reject(channel, "invalid")
