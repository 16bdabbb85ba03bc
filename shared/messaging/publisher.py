"""Publishing that is sure: persistent, mandatory, confirmed, within a time."""

import asyncio
from collections.abc import Sequence
from itertools import count, islice
from uuid import uuid4

from aio_pika.abc import AbstractChannel
from aiormq import Channel, DeliveryError
from aiormq.abc import ChannelFrame

from shared.errors import BrokerUnavailable, NotTaken
from shared.messaging.confirms import Confirms
from shared.messaging.failures import is_missing, translated
from shared.messaging.link import Link
from shared.messaging.outgoing import Outgoing

_CONFIRM_SECONDS = 10.0


class Publisher:
    """Publishes on one AMQP channel of its link, opened anew after a loss.

    What is published together is written together, and its confirms are awaited as one: the
    library's own way makes several tasks and futures of each message.
    """

    essential = False

    def __init__(self, link: Link, *, confirm_seconds: float = _CONFIRM_SECONDS) -> None:
        self.name = f"{link.name}-publisher"
        self._link = link
        self._confirm_seconds = confirm_seconds
        self._opened: AbstractChannel | None = None
        self._channel: Channel | None = None
        self._opening = asyncio.Lock()
        self._own_name = uuid4().hex
        self._numbers = count()

    async def wait(self) -> None:
        """Returns when RabbitMQ takes messages."""
        await self._link.wait_flow()

    async def publish(self, messages: Sequence[Outgoing]) -> list[BrokerUnavailable | None]:
        """One entry for each message, in order: None when RabbitMQ confirmed it.

        A failed entry may have been stored all the same (its confirm was lost): publish it again.
        NotTaken says that it was not, and that the others may fare better.
        """
        if not messages:
            return []
        try:
            channel = await self._ready()
        except BrokerUnavailable as error:
            return [error] * len(messages)
        ids = [f"{self._own_name}-{number}" for number in islice(self._numbers, len(messages))]
        confirms = Confirms(channel, ids)
        payload = _written(channel, messages, ids)
        failure: BrokerUnavailable | None = None
        try:
            with translated("not confirmed"):
                async with asyncio.timeout(self._confirm_seconds):
                    # A task of the channel, so that it ends when the channel closes.
                    await channel.create_task(_write(channel, payload, confirms))
                    await confirms.wait()
        except BrokerUnavailable as error:
            failure = error
        finally:
            confirms.end(failure)
        if any(map(is_missing, confirms.failures)):
            self._link.mend()
        return [_translated(one) for one in confirms.failures]

    async def publish_one(self, message: Outgoing) -> None:
        """Publishes one message; raises BrokerUnavailable when it was not confirmed."""
        [failure] = await self.publish([message])
        if failure is not None:
            raise failure

    async def _ready(self) -> Channel:
        await self._link.ping()
        async with self._opening:
            if self._opened is None or self._channel is None or self._opened.is_closed:
                self._opened = await self._link.channel(confirms=True)
                with translated("no AMQP channel"):
                    channel = await self._opened.get_underlay_channel()
                assert isinstance(channel, Channel)  # noqa: S101 - for the type checker
                self._channel = channel
            return self._channel


def _written(channel: Channel, messages: Sequence[Outgoing], ids: Sequence[str]) -> bytes:
    number, most_bytes = channel.number, channel.max_content_size
    return b"".join(
        message.frames(number, message_id, most_bytes)
        for message, message_id in zip(messages, ids, strict=True)
    )


async def _write(channel: Channel, payload: bytes, confirms: Confirms) -> None:
    """Hands the frames to the connection and expects their confirms.

    RabbitMQ counts what it receives. Nothing comes between the two, so that we count alike.
    """
    drained = asyncio.get_running_loop().create_future()
    await channel.write_queue.put(
        ChannelFrame(payload=payload, should_close=False, drain_future=drained)
    )
    confirms.begin()


def _translated(failure: BaseException | None) -> BrokerUnavailable | None:
    if failure is None or isinstance(failure, BrokerUnavailable):
        return failure
    kind = NotTaken if isinstance(failure, DeliveryError) else BrokerUnavailable
    return kind(f"not confirmed: {failure!r}")
