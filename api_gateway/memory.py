"""What can be told of the past.

Until some moment all outcomes are written down; since some moment all claims are remembered. If
there is time between the two, something may have gone out in it and nobody knows.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from shared.background import Background, Job
from shared.cache import Cache
from shared.database import Database
from shared.delivery.claims import CLAIM_TTL_SECONDS, Claims
from shared.errors import CacheUnavailable
from shared.messaging import Link
from shared.messaging.mark import bears_mark, leave_mark

_NEVER = datetime.fromtimestamp(0, UTC)
_ON_ITS_WAY = timedelta(minutes=1)
"""An outcome is in `status.queue` so soon after the send, and in the table so soon after that."""

_ABOUT_TO_BE_FORGOTTEN = timedelta(hours=1)
_KEPT_SECONDS = 40 * 86_400  # longer than any notification lives
_LOOK_AT_CLAIMS_SECONDS = 10.0

_READ = "SELECT broker_mark, outcomes_until, now() AS now FROM reconciliation"
_NOTE_MARK = "UPDATE reconciliation SET broker_mark = $1"
_NOTE_OUTCOMES = "UPDATE reconciliation SET outcomes_until = $1"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """`outcomes_until`: of every send that began before, PostgreSQL knows what became of it.

    `claims_since`: of every send that began afterwards, Redis has the claim.
    """

    outcomes_until: datetime
    claims_since: datetime

    def covers(self, accepted_at: datetime) -> bool:
        """Whether nothing can have happened to it that nobody remembers."""
        return self.claims_since <= max(self.outcomes_until, accepted_at)


class Memory(Background):
    """Keeps track of what RabbitMQ, Redis and PostgreSQL remember.

    While open it sees to it that Redis notes since when it has all claims. It must begin before
    anything is sent: a Redis that is first asked when its answer is needed knows of nothing yet.
    """

    name = "memory"

    def __init__(self, database: Database, link: Link, cache: Cache) -> None:
        super().__init__()
        self._database = database
        self._link = link
        self._cache = cache
        self._claims = Claims(cache)

    def jobs(self) -> Sequence[Job]:
        return (self._look_at_claims,)

    async def open(self) -> None:
        await self._note_claims()
        await super().open()

    async def knowledge(self, restored_from: datetime | None = None) -> Knowledge:
        """What is known now, if PostgreSQL was `restored_from` a backup of that moment.

        Raises CacheUnavailable.
        """
        since = await self._claims.complete_since()
        row = await self._read()
        until = restored_from or row["outcomes_until"] or _NEVER
        remembered = timedelta(seconds=CLAIM_TTL_SECONDS) - _ABOUT_TO_BE_FORGOTTEN
        return Knowledge(until - _ON_ITS_WAY, max(since, row["now"] - remembered))

    async def broker_is_known(self) -> bool | None:
        """Whether this RabbitMQ still has what was put into it; None where nobody looked before.

        Raises BrokerUnavailable.
        """
        mark: UUID | None = (await self._read())["broker_mark"]
        return None if mark is None else await bears_mark(self._link, mark)

    async def wait_for_broker(self, seconds: float) -> None:
        """Returns when RabbitMQ is reached, or after so long without it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._link.wait()

    async def begin_with_broker(self) -> None:
        """From now on this RabbitMQ is the one that is known; raises BrokerUnavailable."""
        mark = uuid4()
        await leave_mark(self._link, mark)
        async with self._database.driver() as connection:
            await connection.execute(_NOTE_MARK, mark)

    async def outcomes_are_written(self, until: datetime) -> None:
        """Nothing was on its way back from workers at that moment. Raises CacheUnavailable."""
        async with self._database.driver() as connection:
            await connection.execute(_NOTE_OUTCOMES, until)
        await self._cache.command("SET", self._key(), until.timestamp(), "EX", _KEPT_SECONDS)

    async def set_back_to(self) -> datetime | None:
        """How far PostgreSQL knows, where Redis remembers that it once knew more.

        Somebody restored it from a backup then. Raises CacheUnavailable.
        """
        remembered = await self._cache.command("GET", self._key())
        until: datetime | None = (await self._read())["outcomes_until"]
        if remembered is None or until is None:
            return None
        is_behind = datetime.fromtimestamp(float(remembered), UTC) - until > _ON_ITS_WAY
        return until if is_behind else None

    async def _look_at_claims(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AT_CLAIMS_SECONDS)
            await self._note_claims()

    async def _note_claims(self) -> None:
        with contextlib.suppress(CacheUnavailable):
            await self._claims.complete_since()

    def _key(self) -> str:
        return self._cache.durable_key("ledger", "outcomes-until")

    async def _read(self) -> Any:
        async with self._database.driver() as connection:
            return await connection.fetchrow(_READ)
