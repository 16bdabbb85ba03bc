"""The relay: publishes what is due in the outbox, the most urgent first, and deletes it."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from shared.background import Background, Job
from shared.database import Database
from shared.errors import ApiError, BrokerUnavailable, DatabaseUnavailable, NotTaken
from shared.messaging import Publisher
from shared.messaging.addressed import NewerVersion, Unreadable, read_notification, to_lane
from shared.observability.metrics import OUTBOX_OLDEST_SECONDS, OUTBOX_ROWS
from shared.outbox import statements
from shared.outbox.rows import Written
from shared.resilience.schedule import backoff

log = structlog.get_logger()

_BATCH = 500
_LEASE = timedelta(seconds=30)
_IDLE_SECONDS = 0.5
_MEASURE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 2.0


class Relay(Background):
    """Any number may run: each row is leased by one of them.

    No transaction is held while RabbitMQ is asked. It looks every half second, and at once when
    it is nudged.
    """

    name = "relay"

    def __init__(self, database: Database, publisher: Publisher) -> None:
        super().__init__()
        self._database = database
        self._publisher = publisher
        self._nudged = asyncio.Event()
        self._is_leaving = False
        self._in_hand = asyncio.Lock()

    def jobs(self) -> Sequence[Job]:
        return self._run, self._measure

    async def drain(self) -> None:
        """Leases no more, and finishes the batch in hand."""
        self._is_leaving = True
        async with self._in_hand:
            return

    def nudge(self) -> None:
        """Something new is due."""
        self._nudged.set()

    async def publish(self, messages: Sequence[Written]) -> list[BrokerUnavailable]:
        """Publishes messages whose rows are leased and deletes the rows that were confirmed.

        What happened to those that RabbitMQ did not take: their rows become due again by
        themselves.
        """
        answers = await self._publisher.publish([to_lane(m.message, m.body) for m in messages])
        confirmed = [m for m, failure in zip(messages, answers, strict=True) if failure is None]
        if confirmed:
            await self._tell(statements.DELETE, confirmed)
        return [failure for failure in answers if failure is not None]

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                is_done = await self._work_off()
            except DatabaseUnavailable:
                is_done = False
            failures = 0 if is_done else failures + 1
            pause = _IDLE_SECONDS
            if failures:
                pause = backoff(failures, base=_FIRST_PAUSE_SECONDS, cap=_LONGEST_PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudged.wait()
            self._nudged.clear()

    async def _work_off(self) -> bool:
        """Works until nothing is due; False when RabbitMQ did not take everything."""
        await self._publisher.wait()
        while not self._is_leaving:
            async with self._in_hand:
                rows = await self._lease()
                if not rows:
                    break
                messages = _readable(rows)
                failures = await self.publish(messages)
                if failures and not _is_crowd(rows, failures):
                    await self.give_back(messages)
                    return False
        return True

    async def _lease(self) -> list[Any]:
        async with self._database.driver() as connection:
            rows: list[Any] = await connection.fetch(statements.LEASE, _BATCH, _LEASE)
            return rows

    async def give_back(self, messages: Sequence[Written]) -> None:
        """Ends the lease on what was not published: it is due at once, for whoever comes first."""
        await self._tell(statements.RETURN, messages)

    async def _tell(self, statement: str, rows: Sequence[Written]) -> None:
        async with self._database.driver() as connection:
            await connection.execute(
                statement,
                [row.message.id for row in rows],
                [row.message.generation for row in rows],
                [row.message.hop for row in rows],
            )

    async def _measure(self) -> None:
        while True:
            with contextlib.suppress(ApiError):
                async with self._database.driver() as connection:
                    state = await connection.fetchrow(statements.STATE)
                OUTBOX_ROWS.labels("due").set(state["due"])
                OUTBOX_ROWS.labels("scheduled").set(state["scheduled"])
                OUTBOX_OLDEST_SECONDS.set(max(0.0, state["oldest"] or 0.0))
            await asyncio.sleep(_MEASURE_SECONDS)


def _is_crowd(rows: Sequence[Any], failures: Sequence[BrokerUnavailable]) -> bool:
    """Whether many wait for queues that take nothing, and others for these many.

    They keep their lease, so that whoever stands behind them comes through.
    """
    return len(rows) == _BATCH and all(isinstance(one, NotTaken) for one in failures)


def _readable(rows: list[Any]) -> list[Written]:
    """The messages of leased rows. One that this process cannot read waits for another to come."""
    messages = []
    for row in rows:
        try:
            messages.append(Written(read_notification(row["body"]), row["body"]))
        except (Unreadable, NewerVersion) as error:
            log.error("outbox row left", id=str(row["notification_id"]), detail=str(error))
    return messages
