"""Where deliveries come in: read, delivered, settled; each notification by one task at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from shared.delivery.pipeline import NotNow, Pipeline
from shared.delivery.settler import Settlement, Settler
from shared.messaging import Delivery, Publisher
from shared.messaging.addressed import (
    NewerVersion,
    Unreadable,
    read_notification,
    to_dead_letters_as_found,
)
from shared.observability import correlation
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()

_NEWER_PAUSE_SECONDS = 1.0


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
            log.error("unreadable message", found_in=delivery.routing_key, detail=str(error))
            await self._publisher.publish_one(
                to_dead_letters_as_found(
                    delivery.body, Reason.UNREADABLE_MESSAGE, delivery.routing_key
                )
            )
            await delivery.ack()
            return
        except NewerVersion as error:
            log.warning("message of a newer contract version returned", detail=str(error))
            await asyncio.sleep(_NEWER_PAUSE_SECONDS)
            await delivery.release()
            return
        with correlation.correlated(message.correlation_id):
            async with self._alone(message):
                await self._deliver(delivery, message)

    async def _deliver(self, delivery: Delivery, message: NotificationMessage) -> None:
        started_at = datetime.now(UTC)
        try:
            results = await self._pipeline.deliver(message)
        except NotNow:
            await delivery.release()
            return
        await self._settler.settle(Settlement(delivery, message, results, started_at))

    @asynccontextmanager
    async def _alone(self, message: NotificationMessage) -> AsyncIterator[None]:
        """A copy that arrives after a reconnection waits for the one still in hand."""
        key = (message.id, message.generation, message.hop)
        while (other := self._in_hand.get(key)) is not None:
            await other.wait()
        done = self._in_hand[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._in_hand[key]
            done.set()
