"""Where deliveries come in: read, delivered, settled; each notification by one task at a time."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from shared.delivery.pipeline import NotNow, Pipeline
from shared.delivery.settler import Settlement, Settler
from shared.masking import Secrets
from shared.messaging import Delivery, Outgoing, Publisher
from shared.messaging.addressed import (
    NewerVersion,
    Unreadable,
    read_notification,
    to_dead_letters_as_found,
    to_retry_as_found,
)
from shared.observability import correlation, discretion
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()


class Reception:
    """The handler of every lane of a channel."""

    def __init__(self, pipeline: Pipeline[Any], settler: Settler, publisher: Publisher) -> None:
        self._pipeline = pipeline
        self._settler = settler
        self._publisher = publisher
        self._in_hand: dict[tuple[UUID, int, int], asyncio.Event] = {}

    async def receive(self, delivery: Delivery) -> None:
        try:
            message = read_notification(delivery.body)
        except Unreadable as error:
            log.error("unreadable message", found_in=delivery.queue, detail=str(error))
            reason = Reason.UNREADABLE_MESSAGE
            letter = to_dead_letters_as_found(delivery.body, reason, delivery.queue)
            await self._hand_on(delivery, letter)
        except NewerVersion as error:
            log.warning("message of a newer contract version put off", detail=str(error))
            letter = to_retry_as_found(delivery.body, delivery.headers, delivery.queue)
            await self._hand_on(delivery, letter)
        else:
            with correlation.correlated(message.correlation_id):
                await self._when_alone(delivery, message)

    async def _hand_on(self, delivery: Delivery, letter: Outgoing) -> None:
        """What this process cannot read goes on byte for byte; raises BrokerUnavailable."""
        delivery.begin()
        await self._publisher.publish_one(letter)
        delivery.ack()

    async def _deliver(self, delivery: Delivery, message: NotificationMessage) -> None:
        started_at = datetime.now(UTC)
        secrets = Secrets(message.variables, message.sensitive)
        discretion.keep(secrets)
        try:
            results = await self._pipeline.deliver(
                message, delivery.begin, returns=delivery.returns or delivery.redelivered
            )
        except NotNow:
            delivery.release()
            return
        delivery.begin()
        told = message.model_copy(update={"sensitive": secrets.names})
        await self._settler.settle(Settlement(delivery, told, results, started_at))

    async def _when_alone(self, delivery: Delivery, message: NotificationMessage) -> None:
        """A copy that arrives after a reconnection waits for the one still in hand."""
        key = (message.id, message.generation, message.hop)
        while (other := self._in_hand.get(key)) is not None:
            await other.wait()
        done = self._in_hand[key] = asyncio.Event()
        try:
            await self._deliver(delivery, message)
        finally:
            del self._in_hand[key]
            done.set()
