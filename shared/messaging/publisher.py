"""Publishing that is sure: persistent, mandatory, confirmed, within a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractExchange

from shared.errors import BrokerUnavailable
from shared.messaging.link import Link

_CONFIRM_SECONDS = 10.0
_FAILURES = (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish."""

    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)


class Publisher:
    """Publishes on one AMQP channel of its link, opened anew after a loss."""

    essential = False

    def __init__(self, link: Link, *, confirm_seconds: float = _CONFIRM_SECONDS) -> None:
        self.name = f"{link.name}-publisher"
        self._link = link
        self._confirm_seconds = confirm_seconds
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._opening = asyncio.Lock()

    async def wait(self) -> None:
        """Returns when there is a connection to publish on."""
        await self._link.wait()

    async def publish(self, messages: Sequence[Outgoing]) -> list[BrokerUnavailable | None]:
        """One entry for each message, in order: None when RabbitMQ confirmed it.

        A failed entry may have been stored all the same (its confirm was lost): publish it again.
        """
        try:
            await self._ready(messages)
        except BrokerUnavailable as error:
            return [error] * len(messages)
        return list(await asyncio.gather(*(self._publish(message) for message in messages)))

    async def publish_one(self, message: Outgoing) -> None:
        """Publishes one message; raises BrokerUnavailable when it was not confirmed."""
        [failure] = await self.publish([message])
        if failure is not None:
            raise failure

    async def _publish(self, message: Outgoing) -> BrokerUnavailable | None:
        try:
            await self._exchanges[message.exchange].publish(
                Message(
                    message.body,
                    headers=message.headers,
                    message_id=uuid4().hex,
                    content_type="application/json",
                    delivery_mode=DeliveryMode.PERSISTENT,
                ),
                message.routing_key,
                mandatory=True,
                timeout=self._confirm_seconds,
            )
        except _FAILURES as error:
            return BrokerUnavailable(f"not confirmed: {error!r}")
        except KeyError:
            return BrokerUnavailable("the AMQP channel was closed meanwhile")
        return None

    async def _ready(self, messages: Sequence[Outgoing]) -> None:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._exchanges = {}
                self._channel = await self._link.channel(confirms=True)
            for name in {message.exchange for message in messages} - self._exchanges.keys():
                self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
