"""A mark in RabbitMQ: it is gone when RabbitMQ has lost its disk, and with it all messages.

The mark is an exchange without bindings, `notifications.mark.<hex>`.
"""

from uuid import UUID

from aio_pika import ExchangeType
from aio_pika.exceptions import ChannelNotFoundEntity

from shared.messaging.link import Link


async def leave_mark(link: Link, mark: UUID) -> None:
    """Raises BrokerUnavailable."""
    async with link.using_channel() as channel:
        await channel.declare_exchange(_name(mark), ExchangeType.DIRECT, durable=True)


async def bears_mark(link: Link, mark: UUID) -> bool:
    """Whether it is still there; raises BrokerUnavailable."""
    async with link.using_channel() as channel:
        try:
            await channel.declare_exchange(_name(mark), passive=True)
        except ChannelNotFoundEntity:
            return False
    return True


def _name(mark: UUID) -> str:
    return f"notifications.mark.{mark.hex}"
