"""Consumes outcomes from `status.queue`: many messages, one transaction."""

import asyncio
from collections.abc import Sequence

import structlog

from api_gateway.status import ledger
from shared.batching import Gatherer
from shared.database import Database, is_refused, together_or_apart
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
            await self._record(batch.reports)
        except (NewerVersion, DatabaseUnavailable) as error:
            log.warning("outcomes returned", detail=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
            await delivery.release()
            return
        except Exception as error:
            if not (isinstance(error, Unreadable) or is_refused(error)):
                raise
            log.error("unreadable outcomes", detail=str(error))
            await self._give_up(delivery)
        await delivery.ack()

    async def _give_up(self, delivery: Delivery) -> None:
        letter = to_dead_letters_as_found(
            delivery.body, Reason.UNREADABLE_MESSAGE, delivery.routing_key
        )
        await self._publisher.publish_one(letter)

    async def _record_all(self, batches: list[list[OutcomeReport]]) -> Sequence[Exception | None]:
        return await together_or_apart(batches, self._write)

    async def _write(self, batches: list[list[OutcomeReport]]) -> Sequence[None]:
        reports = [report for batch in batches for report in batch]
        async with self._database.driver() as connection, connection.transaction():
            await ledger.record(connection, reports)
        return [None] * len(batches)
