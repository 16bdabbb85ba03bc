"""Settling, in the one order that loses nothing: claim, hand-off, status, ack.

A process that dies between two of these leaves a message that is delivered again; the next
worker finds the claim settled and publishes the stored outcome once more. What is published
twice is recognised by its hop and its event id.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from shared.batching import Gatherer
from shared.delivery.licence import Licences
from shared.delivery.pipeline import Result
from shared.delivery.plan import Plan, plan
from shared.errors import BrokerUnavailable, CacheUnavailable
from shared.messaging import Delivery, Outgoing, Publisher
from shared.messaging.addressed import to_status_in_parts
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
        self._closing = asyncio.Event()
        self.settle = Gatherer(self._settle, max_items=200, max_running=4, every=0.02)

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Gives up on what RabbitMQ has not confirmed: its messages are delivered again."""
        self._closing.set()

    async def _settle(self, settlements: list[Settlement]) -> Sequence[Exception | None]:
        settlements = await self._settle_claims(settlements)
        now = datetime.now(UTC)
        plans = [_planned(settlement, now) for settlement in settlements]
        made = [one for one in plans if isinstance(one, Plan)]
        await self._confirmed([one.hand_off for one in made if one.hand_off])
        await self._confirmed(to_status_in_parts(report for one in made for report in one.reports))
        settled = [
            (settlement, planned)
            for settlement, planned in zip(settlements, plans, strict=True)
            if isinstance(planned, Plan)
        ]
        for settlement, _ in settled:
            settlement.delivery.ack()
        for settlement, planned in settled:
            _count(settlement.message, planned, now)
        return [None if isinstance(planned, Plan) else planned for planned in plans]

    async def _settle_claims(self, settlements: list[Settlement]) -> list[Settlement]:
        """The settlements with the outcomes that stand."""
        outcomes = [(s.message, r.device, r.outcome) for s in settlements for r in s.results]
        try:
            standing = iter(await self._licences.settle(outcomes))
        except CacheUnavailable as error:
            log.warning("claims not settled", count=len(outcomes), detail=str(error))
            return settlements
        return [
            replace(s, results=[Result(r.device, next(standing)) for r in s.results])
            for s in settlements
        ]

    async def _confirmed(self, messages: list[Outgoing]) -> None:
        """Publishes until RabbitMQ has confirmed all of them; gives up only at shutdown."""
        failures = 0
        while messages:
            answers = await self._publisher.publish(messages)
            messages = [m for m, failure in zip(messages, answers, strict=True) if failure]
            if not messages:
                return
            failures += 1
            pause = backoff(failures, base=_FIRST_PAUSE_SECONDS, cap=_LONGEST_PAUSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            if self._closing.is_set():
                raise BrokerUnavailable("shutting down before the outcome was confirmed")


def _planned(settlement: Settlement, now: datetime) -> Plan | Exception:
    """The plan for one delivery; a bug in it is no neighbour's."""
    try:
        return plan(settlement.message, settlement.results, settlement.started_at, now)
    except Exception as error:  # noqa: BLE001 - told to whoever settles this one
        return error


def _count(message: NotificationMessage, planned: Plan, now: datetime) -> None:
    NOTIFICATIONS.labels(message.channel, planned.status, planned.reason or "").inc()
    if planned.status is Status.SENT:
        waited = (now - message.created_at).total_seconds()
        DELIVERY_SECONDS.labels(message.channel).observe(waited)
