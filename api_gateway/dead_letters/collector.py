"""Drains `failed.queue` into the table: acked after the commit that also sets `failed`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

import structlog
from pydantic import ValidationError

from api_gateway.columns import columns, storable
from api_gateway.dead_letters import bodies, statements
from api_gateway.status import ledger
from shared.batching import Gatherer
from shared.database import Database, is_refused, together_or_apart
from shared.errors import DatabaseUnavailable
from shared.messaging import Delivery, Publisher
from shared.messaging.addressed import (
    OUTCOME_HEADER,
    NewerVersion,
    Unreadable,
    read_notification,
    to_retry_as_found,
)
from shared.schemas.vocabulary import Reason, Status
from shared.schemas.wire import NotificationMessage, OutcomeReport

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0
_PATIENCE = 5
"""How often one comes again that met a bug; then its bytes are kept."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of `failed.queue`, read as far as it can be read."""

    body: bytes
    amqp_message_id: str | None
    message: NotificationMessage | None
    report: OutcomeReport | None
    reason: Reason
    detail: str | None


class DeadLetterCollector:
    """The handler of `failed.queue`."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._record = Gatherer(self._record_all, max_items=100, max_running=2)

    async def receive(self, delivery: Delivery) -> None:
        delivery.begin()
        try:
            await self._keep(delivery)
        except DatabaseUnavailable as error:
            log.warning("dead letter returned", detail=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
            delivery.release()
            return
        except NewerVersion as error:
            log.warning("dead letter of a newer contract version put off", detail=str(error))
            await self._publisher.publish_one(
                to_retry_as_found(delivery.body, delivery.headers, delivery.queue)
            )
        delivery.ack()

    async def _keep(self, delivery: Delivery) -> None:
        try:
            await self._record(read(delivery))
        except (NewerVersion, DatabaseUnavailable):
            raise
        except Exception as error:
            if not is_refused(error) and delivery.returns < _PATIENCE:
                raise
            await self._record(unreadable(delivery, error))

    async def _record_all(self, letters: list[DeadLetter]) -> Sequence[Exception | None]:
        return await together_or_apart(letters, self._write)

    async def _write(self, letters: list[DeadLetter]) -> Sequence[None]:
        async with self._database.driver() as connection, connection.transaction():
            await keep(connection, letters)
        return [None] * len(letters)


async def keep(connection: Any, letters: Sequence[DeadLetter]) -> None:
    """Writes letters down, and what they say of their notifications, in a transaction."""
    await connection.execute(statements.ADD, *columns(map(_row, letters)))
    await ledger.record(connection, [letter.report for letter in letters if letter.report])


def read(delivery: Delivery) -> DeadLetter:
    """What came: with its outcome, without one (RabbitMQ gave it up), or unreadable.

    Raises NewerVersion.
    """
    try:
        message = read_notification(delivery.body)
    except Unreadable as error:
        return unreadable(delivery, error)
    report = _report(delivery, message)
    return DeadLetter(
        bodies.kept(delivery.body, message),
        delivery.message_id,
        message,
        report,
        report.reason or Reason.INTERNAL_ERROR,
        report.detail,
    )


def unreadable(delivery: Delivery, error: Exception) -> DeadLetter:
    """What can be kept of a message that nobody can read: its bytes."""
    log.error("unreadable dead letter kept", detail=str(error))
    reason = Reason.UNREADABLE_MESSAGE
    body = bodies.kept_as_found(delivery.body)
    return DeadLetter(body, delivery.message_id, None, None, reason, str(error))


def _report(delivery: Delivery, message: NotificationMessage) -> OutcomeReport:
    try:
        return OutcomeReport.model_validate_json(delivery.headers.get(OUTCOME_HEADER, ""))
    except ValidationError:
        return OutcomeReport(
            event_id=uuid5(message.id, f"{message.generation}:{message.hop}:given-up"),
            notification_id=message.id,
            generation=message.generation,
            hop=message.hop,
            attempt=message.attempt,
            status=Status.FAILED,
            reason=Reason.INTERNAL_ERROR,
            detail="RabbitMQ gave the message up after too many deliveries",
            at=datetime.now(UTC),
            sensitive=message.sensitive,
        )


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    message, report = letter.message, letter.report
    # An unreadable one has no id of ours: RabbitMQ's message id keeps a redelivery single.
    return (
        message.id if message else None,
        message.generation if message else None,
        None if message else storable(letter.amqp_message_id),
        message.user_id if message else None,
        message.batch_id if message else None,
        message.channel.value if message else None,
        message.template_id if message else None,
        storable(report.provider) if report else None,
        letter.reason.value,
        report.attempt if report else 0,
        storable(letter.detail),
        letter.body,
    )
