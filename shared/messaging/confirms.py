"""RabbitMQ's answers to many messages that were written at once."""

from collections.abc import Sequence
from typing import Any

from aiormq import Channel

_OPEN: Any = object()


class Confirms:
    """What RabbitMQ says to the messages of one range on an AMQP channel.

    aiormq keeps a table of what it expects, by delivery tag, and tells each entry once: an ack, or
    a nack or a return as an exception. Here an entry notes it for its range, and the range is one
    future in place of one for each message.
    """

    def __init__(self, channel: Channel, message_ids: Sequence[str]) -> None:
        self.failures: list[BaseException | None] = [_OPEN] * len(message_ids)
        self.is_over = False
        self._channel = channel
        self._message_ids = message_ids
        self._open = len(message_ids)
        # The channel fails it when it closes.
        self._done = channel.create_future()

    def begin(self) -> None:
        """Expects the answers. Called in the moment in which the messages are written."""
        channel, tag = self._channel, self._channel.delivery_tag
        expected: dict[int, Any] = channel.confirmations
        for place, message_id in enumerate(self._message_ids):
            tag += 1
            expected[tag] = _Expected(self, place)
            channel.message_id_delivery_tag[message_id] = tag
        channel.delivery_tag = tag

    async def wait(self) -> None:
        """Returns when everything was answered; raises when the channel closed before."""
        await self._done

    def told(self, place: int, failure: BaseException | None) -> None:
        if self.failures[place] is _OPEN:
            self.failures[place] = failure
            self._open -= 1
            if not self._open and not self._done.done():
                self._done.set_result(None)

    def end(self, error: BaseException | None) -> None:
        """Nobody waits any more: what was not answered has failed with `error`."""
        self.is_over = True
        self._done.cancel()
        for message_id in self._message_ids:
            self._channel.message_id_delivery_tag.pop(message_id, None)
        self.failures = [error if one is _OPEN else one for one in self.failures]


class _Expected:
    """One entry of aiormq's table, as far as aiormq looks at it as a future."""

    __slots__ = ("_place", "_range")

    def __init__(self, confirms: Confirms, place: int) -> None:
        self._range = confirms
        self._place = place

    def done(self) -> bool:
        return self._range.is_over

    def cancelled(self) -> bool:
        return self._range.is_over

    def set_result(self, _: object) -> None:
        self._range.told(self._place, None)

    def set_exception(self, error: BaseException) -> None:
        self._range.told(self._place, error)
