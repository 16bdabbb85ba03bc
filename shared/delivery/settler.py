"""Settling, in the one order that loses nothing: claim, hand-off, status, ack.

A process that dies between two of these leaves a message that is delivered again; the next
worker finds the claim settled and publishes the stored outcome once more. What is published
twice is recognised by its hop and its event id.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from shared.batching import Gatherer
from shared.delivery.licence import Licences
from shared.delivery.pipeline import Result
from shared.delivery.plan import Plan, plan
from shared.errors import BrokerUnavailable, CacheUnavailable
from shared.messaging import Delivery, Outgoing, Publisher
from shared.messaging.addressed import to_status
from shared.observability.metrics import DELIVERY_SECONDS, NOTIFICATIONS
from shared.resilience.schedule import backoff
from shared.schemas.vocabulary import Status
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 3.0


@dataclass(frozen=True, slots=True)
class Settlement:
    """One delivery with what became of it."""

    delivery: Delivery
    message: NotificationMessage
    results: Sequence[Result]
    started_at: datetime


class Settler:
    """Settles what finishes at the same moment together."""

    name = "settler"
    essential = False

    def __init__(self, licences: Licences, publisher: Publisher) -> None:
        self._licences = licences
        self._publisher = publisher
        self._closing = False
        self.settle = Gatherer(self._settle, max_items=200, max_running=4)

    async def open(self) -> None: ...

    async def close(self) -> None:
        self._closing = True

    async def _settle(self, settlements: list[Settlement]) -> Sequence[None]:
        now = datetime.now(UTC)
        plans = [plan(s.message, s.results, s.started_at, now) for s in settlements]
        await self._settle_claims(settlements)
        await self._confirmed([p.hand_off for p in plans if p.hand_off])
        if reports := [report for p in plans for report in p.reports]:
            await self._confirmed([to_status(reports)])
        for settlement, planned in zip(settlements, plans, strict=True):
            await settlement.delivery.ack()
            _count(settlement.message, planned, now)
        return [None] * len(settlements)

    async def _settle_claims(self, settlements: Sequence[Settlement]) -> None:
        outcomes = [(s.message, r.device, r.outcome) for s in settlements for r in s.results]
        try:
            await self._licences.settle(outcomes)
        except CacheUnavailable as error:
            log.warning("claims not settled", count=len(outcomes), detail=str(error))

    async def _confirmed(self, messages: list[Outgoing]) -> None:
        """Publishes until RabbitMQ has confirmed all of them; gives up only at shutdown."""
        failures = 0
        while messages:
            answers = await self._publisher.publish(messages)
            messages = [m for m, failure in zip(messages, answers, strict=True) if failure]
            if not messages:
                return
            if self._closing:
                raise BrokerUnavailable("shutting down before the outcome was confirmed")
            failures += 1
            await asyncio.sleep(
                backoff(failures, base=_FIRST_PAUSE_SECONDS, cap=_LONGEST_PAUSE_SECONDS)
            )


def _count(message: NotificationMessage, planned: Plan, now: datetime) -> None:
    NOTIFICATIONS.labels(message.channel, planned.status, planned.reason or "").inc()
    if planned.status is Status.SENT:
        waited = (now - message.created_at).total_seconds()
        DELIVERY_SECONDS.labels(message.channel).observe(waited)
