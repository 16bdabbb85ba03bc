"""Consumes outcomes from `status.queue`: many messages, one transaction."""

import asyncio
from collections.abc import Sequence

import structlog

from api_gateway.status import ledger
from shared.batching import Gatherer
from shared.database import Database
from shared.errors import DatabaseUnavailable
from shared.messaging import Delivery, Publisher
from shared.messaging.addressed import (
    NewerVersion,
    Unreadable,
    read_outcomes,
    to_dead_letters_as_found,
)
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import OutcomeReport

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0


class Collector:
    """The handler of `status.queue`."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._record = Gatherer(self._record_all, max_items=50, max_running=2)

    async def receive(self, delivery: Delivery) -> None:
        try:
            batch = read_outcomes(delivery.body)
        except Unreadable as error:
            log.error("unreadable outcome", detail=str(error))
            await self._publisher.publish_one(
                to_dead_letters_as_found(
                    delivery.body, Reason.UNREADABLE_MESSAGE, delivery.routing_key
                )
            )
            await delivery.ack()
            return
        except NewerVersion as error:
            log.warning("outcome of a newer contract version returned", detail=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
            await delivery.release()
            return
        try:
            await self._record(batch.reports)
        except DatabaseUnavailable:
            await asyncio.sleep(_PAUSE_SECONDS)
            await delivery.release()
            return
        await delivery.ack()

    async def _record_all(self, batches: list[list[OutcomeReport]]) -> Sequence[None]:
        reports = [report for batch in batches for report in batch]
        async with self._database.driver() as connection, connection.transaction():
            await ledger.record(connection, reports)
        return [None] * len(batches)
