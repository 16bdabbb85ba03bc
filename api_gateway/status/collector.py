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
    outcomes_apart,
    read_outcomes,
    to_dead_letters_as_found,
    to_retry_as_found,
)
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import OutcomeReport

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0
_PATIENCE = 5
"""How often a batch comes again that met a bug; then it is set aside too."""


class Collector:
    """The handler of `status.queue`."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._record = Gatherer(self._record_all, max_items=50, max_running=2)

    async def receive(self, delivery: Delivery) -> None:
        delivery.begin()
        try:
            await self._keep(delivery.body, delivery)
        except DatabaseUnavailable as error:
            log.warning("outcomes returned", detail=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
            delivery.release()
            return
        except NewerVersion as error:
            log.warning("outcomes of a newer contract version put off", detail=str(error))
            await self._publisher.publish_one(
                to_retry_as_found(delivery.body, delivery.headers, delivery.queue)
            )
        delivery.ack()

    async def _keep(self, body: bytes, delivery: Delivery) -> None:
        """Writes a batch down; an outcome that cannot be, is set aside without its neighbours."""
        try:
            await self._record(read_outcomes(body).reports)
        except (NewerVersion, DatabaseUnavailable):
            raise
        except Exception as error:
            hopeless = isinstance(error, Unreadable) or is_refused(error)
            if not hopeless and delivery.returns < _PATIENCE:
                raise
            parts = outcomes_apart(body)
            if len(parts) > 1:
                await asyncio.gather(*(self._keep(part, delivery) for part in parts))
                return
            log.error("unreadable outcome", exc_info=None if hopeless else error, detail=str(error))
            await self._publisher.publish_one(
                to_dead_letters_as_found(body, Reason.UNREADABLE_MESSAGE, delivery.queue)
            )

    async def _record_all(self, batches: list[list[OutcomeReport]]) -> Sequence[Exception | None]:
        return await together_or_apart(batches, self._write)

    async def _write(self, batches: list[list[OutcomeReport]]) -> Sequence[None]:
        reports = [report for batch in batches for report in batch]
        async with self._database.driver() as connection, connection.transaction():
            await ledger.record(connection, reports)
        return [None] * len(batches)
