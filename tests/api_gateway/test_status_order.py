"""A notification's state follows from its reports, not from the order in which they come."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from api_gateway.status.ledger import state_of
from shared.schemas.vocabulary import Reason, Status
from tests.api_gateway.ledgers import NOON, add_notification, migrated, record, report, row_of

OUTCOMES = [status for status in Status if status not in (Status.QUEUED, Status.SCHEDULED)]

one_report = st.fixed_dictionaries(
    {
        "generation": st.integers(1, 3),
        "hop": st.integers(1, 3),
        "attempt": st.integers(1, 4),
        "status": st.sampled_from(OUTCOMES),
        "reason": st.sampled_from([None, Reason.EXPIRED, Reason.RETRIES_EXHAUSTED]),
        "provider": st.sampled_from([None, "smtp", "backup"]),
        "provider_message_id": st.sampled_from([None, "m1", "m2"]),
        "partial": st.booleans(),
    }
)


def state_in(row):
    proven = Status(row["status"]).is_proof
    return proven, row["generation"], row["hop"], row["rank"], row["updated_at"]


@pytest.fixture
async def database(postgres_url):
    async with migrated(postgres_url) as database:
        yield database


class Arrivals(RuleBasedStateMachine):
    """Reports of two notifications are made, and arrive in any order, in batches, repeatedly."""

    reports = Bundle("reports")

    @initialize()
    def begin(self):
        self.ids = [self.run(add_notification(self.database)) for _ in range(2)]
        self.made = []
        self.arrived = {ident: [] for ident in self.ids}
        self.states = {ident: self.state_of(ident) for ident in self.ids}

    def row_of(self, ident):
        return self.run(row_of(self.database, ident))

    def state_of(self, ident):
        return state_in(self.row_of(ident))

    @rule(target=reports, which=st.integers(0, 1), fields=one_report)
    def make(self, which, fields):
        at = NOON + timedelta(seconds=len(self.made) + 1)
        self.made.append(report(self.ids[which], at=at, **fields))
        return self.made[-1]

    @rule(batch=st.lists(reports, min_size=1, max_size=6))
    def arrive(self, batch):
        self.run(record(self.database, batch))
        for one in batch:
            self.arrived[one.notification_id].append(one)

    @invariant()
    def never_backwards(self):
        for ident in self.ids:
            before, self.states[ident] = self.states[ident], self.state_of(ident)
            assert before <= self.states[ident]

    @invariant()
    def the_row_is_what_arrived_so_far(self):
        for ident, arrived in self.arrived.items():
            row = self.row_of(ident)
            counting = [one for one in arrived if not one.partial]
            sent = [one.at for one in counting if one.status is Status.SENT]
            delivered = [one.at for one in counting if one.status is Status.DELIVERED]
            assert row["sent_at"] == max(sent, default=None)
            assert row["delivered_at"] == max(delivered, default=None)
            if counting:
                best = max(counting, key=state_of)
                told = (row["status"], row["reason"], row["provider"], row["updated_at"])
                assert told == (best.status, best.reason, best.provider, best.at)

    def teardown(self):
        """Whatever the order was, and once more in the order of their making: the same rows."""
        self.run(record(self.database, self.made[::-1]))
        for ident in self.ids:
            other = self.run(add_notification(self.database))
            mine = [one for one in self.made if one.notification_id == ident]
            for one in mine:
                again = one.model_copy(update={"notification_id": other, "event_id": uuid4()})
                self.run(record(self.database, [again]))
            assert without_id(self.row_of(ident)) == without_id(self.row_of(other))
            assert self.run(events_of(self.database, ident)) == {one.event_id for one in mine}


def without_id(row):
    return {name: value for name, value in row.items() if name != "id"}


async def events_of(database, ident):
    async with database.driver() as connection:
        query = "SELECT event_id FROM notification_events WHERE notification_id = $1"
        return {row["event_id"] for row in await connection.fetch(query, ident)}


async def test_a_status_never_goes_backwards_and_arrival_decides_nothing(database):
    """Invariant: under any order of outcomes, however often they come and with which others."""
    loop = asyncio.get_running_loop()

    class Here(Arrivals):
        def run(self, coroutine):
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    Here.database = database
    bounded = settings(
        max_examples=25,
        stateful_step_count=12,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, Here, settings=bounded)


async def test_reports_that_come_at_once_through_several_gateways(database):
    ids = [await add_notification(database) for _ in range(20)]
    reports = [
        report(ident, status, hop=hop, at=NOON + timedelta(seconds=hop))
        for ident in ids
        for hop, status in enumerate(("retrying", "retrying", "sent", "delivered"), 1)
    ]
    halves = [reports[n::5] for n in range(5)]
    await asyncio.gather(*(record(database, part) for part in (*halves, *halves)))
    for ident in ids:
        row = await row_of(database, ident)
        assert (row["status"], row["hop"]) == ("delivered", 4)
        assert row["sent_at"] == NOON + timedelta(seconds=3)


async def test_a_redrive_leaves_failed_and_an_older_report_does_not_return(database):
    ident = await add_notification(database)
    await record(database, [report(ident, "failed", hop=4, reason="retries_exhausted")])
    await record(database, [report(ident, "retrying", generation=2)])
    await record(database, [report(ident, "failed", hop=5, reason="internal_error")])
    row = await row_of(database, ident)
    assert (row["status"], row["reason"], row["generation"]) == ("retrying", None, 2)


async def test_what_postgresql_cannot_store_is_replaced(database):
    ident = await add_notification(database)
    strange = report(ident, "retrying", provider="smtp", detail="450 \x00 busy", device="\x00")
    await record(database, [strange])
    async with database.driver() as connection:
        query = "SELECT detail, device FROM notification_events WHERE notification_id = $1"
        assert tuple(await connection.fetchrow(query, ident)) == ("450 \ufffd busy", "\ufffd")


async def test_an_attempt_is_what_a_provider_answered(database):
    ident = await add_notification(database)
    await record(database, [report(ident, "deferred", attempt=1)])
    assert (await row_of(database, ident))["attempts"] == 0
    await record(database, [report(ident, "retrying", hop=2, attempt=1, provider="smtp")])
    await record(database, [report(ident, "expired", hop=3, attempt=2, reason="expired")])
    assert (await row_of(database, ident))["attempts"] == 1


async def test_reports_of_a_notification_that_nobody_knows_harm_nobody(database):
    ident = await add_notification(database)
    await record(database, [report(uuid4(), "sent"), report(ident, "sent")])
    assert (await row_of(database, ident))["status"] == "sent"
