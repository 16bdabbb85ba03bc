"""A message in our hands, and the answers that RabbitMQ waits for.

Source of the frames: AMQP 0-9-1, 4.2.3 and the class `basic` (ack); RabbitMQ's extension `nack`.
"""

import asyncio
import struct
from typing import Any

from aiormq import Channel
from aiormq.abc import ChannelFrame, DeliveredMessage
from pamqp import commands, constants

_ANSWER = struct.Struct(">BHIHHQBc")
_PAYLOAD_BYTES = 13
_REQUEUE = 1 << 1
_AGAIN_SECONDS = 0.01


class Answers:
    """Acks and returns on one AMQP channel; those of one turn of the loop are written together.

    An answer that is given is written, also if whoever gave it is ended meanwhile: else the message
    would stay with a process that has forgotten it for as long as its AMQP channel lives.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: list[bytes] = []

    def ack(self, tag: int) -> None:
        self._give(commands.Basic.Ack.index, tag, 0)

    def release(self, tag: int) -> None:
        self._give(commands.Basic.Nack.index, tag, _REQUEUE)

    def write(self) -> None:
        """Hands what waits to the connection; later, if that has no room."""
        if not self._waiting or self._channel.is_closed:
            # RabbitMQ delivers it again.
            self._waiting = []
            return
        frames = ChannelFrame(
            payload=b"".join(self._waiting), should_close=False, drain_future=None
        )
        try:
            self._channel.write_queue.put_nowait(frames)
        except asyncio.QueueFull:
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self.write)
        else:
            self._waiting = []

    def _give(self, method: int, tag: int, bits: int) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.write)
        class_and_method = method >> 16, method & 0xFFFF
        head = constants.FRAME_METHOD, self._channel.number, _PAYLOAD_BYTES
        self._waiting.append(
            _ANSWER.pack(*head, *class_and_method, tag, bits, constants.FRAME_END_CHAR)
        )


class Delivery:
    """One message in our hands until it is acked or released, whichever comes first."""

    def __init__(self, message: DeliveredMessage, queue: str, answers: Answers) -> None:
        self.queue = queue
        self.body = message.body
        properties = message.header.properties
        self.headers: dict[str, Any] = properties.headers or {}
        self.message_id = properties.message_id
        self.redelivered = bool(message.redelivered)
        returns = self.headers.get("x-delivery-count", 0)
        self.returns = returns if isinstance(returns, int) else 0
        """How often RabbitMQ got it back, for whatever cause."""
        self.has_begun = False
        self._tag = message.delivery_tag or 0
        self._answers: Answers | None = answers

    def begin(self) -> None:
        """From here on it is finished, and not returned for a pause or the end of the process."""
        self.has_begun = True

    def ack(self) -> None:
        """It is done. If the connection is gone, RabbitMQ delivers it again."""
        if self._answers is not None:
            self._answers.ack(self._tag)
            self._answers = None

    def release(self) -> None:
        """Back to the queue, for this worker or another."""
        if self._answers is not None:
            self._answers.release(self._tag)
            self._answers = None
