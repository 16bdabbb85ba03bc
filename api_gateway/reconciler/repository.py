"""Notifications that stand still."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from api_gateway import in_flight
from api_gateway.columns import columns
from api_gateway.partitions import lowest_id
from api_gateway.reconciler import statements
from api_gateway.reconciler.lanes import LANES, Suspect
from shared.database import Database
from shared.messaging.topology import RETRY_TIERS_MS, lane
from shared.outbox import statements as outbox
from shared.outbox.rows import outbox_row
from shared.schemas.vocabulary import Channel, Priority, Status
from shared.schemas.wire import NotificationMessage

_LOOKED_AT = 2000
_NEWER_LOOKED_AT = 1000
_FIRST = UUID(int=0)
_LONGEST_TIER = timedelta(milliseconds=max(map(max, RETRY_TIERS_MS)))
_BETWEEN_CLOCKS = timedelta(seconds=5)


class StalledNotifications:
    """Looks through all that are under way, a part at each call, from the oldest to the newest."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked_up_to: dict[Status, UUID] = {}

    async def hold(self, holder: UUID, duration: timedelta) -> datetime | None:
        """Takes or renews the right to reconcile; the database's time, None if another has it."""
        async with self._database.driver() as connection:
            now: datetime | None = await connection.fetchval(statements.HOLD, holder, duration)
            return now

    async def let_go(self, holder: UUID) -> None:
        async with self._database.driver() as connection:
            await connection.execute(statements.LET_GO, holder)

    async def next(self, before: datetime, wanted: Iterable[str]) -> dict[str, list[Suspect]]:
        """Those of the next part, by lane, that have stood in a `wanted` lane since `before`."""
        pairs = [pair for key in wanted for pair in LANES[key]]
        found: dict[str, list[Suspect]] = {}
        if not pairs:
            return found
        async with self._database.driver() as connection:
            for status in in_flight.UNDER_WAY:
                # A retry is in its tier first.
                until = before - _LONGEST_TIER if status is Status.RETRYING else before
                after = self._looked_up_to.get(status, _FIRST)
                rows = await connection.fetch(
                    statements.STALLED,
                    status.value, after, lowest_id(until), _LOOKED_AT, until, *columns(pairs),
                )  # fmt: skip
                full = rows and rows[0]["looked"] == _LOOKED_AT
                self._looked_up_to[status] = rows[0]["last"] if full else _FIRST
                for row in rows:
                    if row["id"] is not None:
                        key = lane(Channel(row["channel"]), Priority(row["priority"]))
                        suspect = Suspect(row["id"], row["generation"], row["hop"])
                        found.setdefault(key, []).append(suspect)
        return found

    async def overtaken(self, since: Mapping[str, datetime]) -> set[str]:
        """The lanes in which something was delivered that was accepted after that moment."""
        asked = [
            (key, channel.value, priority.value, lowest_id(moment + _BETWEEN_CLOCKS))
            for key, moment in since.items()
            for channel, priority in LANES[key]
        ]
        if not asked:
            return set()
        async with self._database.driver() as connection:
            rows = await connection.fetch(statements.OVERTAKEN, *columns(asked), _NEWER_LOOKED_AT)
        return {row["name"] for row in rows}

    async def still(self, suspects: Sequence[Suspect]) -> list[NotificationMessage]:
        """The messages on their way for those that still stand where they stood."""
        async with self._database.driver() as connection:
            rows = await connection.fetch(statements.UNCHANGED, *columns(suspects))
            events = await connection.fetch(in_flight.EVENTS, [row["id"] for row in rows])
        return list(in_flight.messages(rows, events).values())

    async def enqueue(self, messages: Sequence[NotificationMessage], due: datetime) -> None:
        """Has the relay publish them once more."""
        if messages:
            rows = [outbox_row(message, due) for message in messages]
            async with self._database.driver() as connection:
                await connection.execute(outbox.INSERT, *columns(rows))
