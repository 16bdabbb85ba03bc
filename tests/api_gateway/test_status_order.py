"""A notification's state follows from its reports, not from the order in which they come."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


@st.composite
def histories(draw):
    """Reports, and two orders of arrival: in batches of some, and each at least once."""
    reports = draw(st.lists(one_report, min_size=1, max_size=6))
    orders = []
    for _ in range(2):
        places = draw(st.permutations(range(len(reports))))
        places += draw(st.lists(st.sampled_from(range(len(reports))), max_size=4))
        cuts = sorted(draw(st.sets(st.integers(0, len(places)), max_size=4)))
        bounds = [0, *cuts, len(places)]
        orders.append([places[a:b] for a, b in pairwise(bounds) if a < b])
    return reports, orders


def state_in(row):
    proven = Status(row["status"]).is_proof
    return proven, row["generation"], row["hop"], row["rank"], row["updated_at"]


@pytest.fixture
async def database(postgres_url):
    async with migrated(postgres_url) as database:
        yield database


async def test_every_order_and_repetition_ends_in_the_same_state(postgres_url):
    """Invariant: never goes backwards, and arrival decides nothing."""
    loop = asyncio.get_running_loop()

    async with migrated(postgres_url) as database:

        async def play(reports, batches):
            notification_id = await add_notification(database)
            told = [
                report(notification_id, at=NOON + timedelta(seconds=n + 1), **fields)
                for n, fields in enumerate(reports)
            ]
            states = [state_in(await row_of(database, notification_id))]
            for batch in batches:
                await record(database, [told[place] for place in batch])
                states.append(state_in(await row_of(database, notification_id)))
            assert states == sorted(states)
            row = await row_of(database, notification_id)
            counting = [one for one in told if not one.partial]
            if counting:
                best = max(counting, key=state_of)
                assert (row["status"], row["reason"]) == (best.status, best.reason)
                assert row["provider"] == best.provider
            sent = [one.at for one in counting if one.status is Status.SENT]
            assert row["sent_at"] == max(sent, default=None)
            return {name: value for name, value in row.items() if name != "id"}

        async def both(reports, orders):
            return [await play(reports, batches) for batches in orders]

        @settings(
            max_examples=120,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(histories())
        def ends_the_same(history):
            reports, orders = history
            one, other = asyncio.run_coroutine_threadsafe(both(reports, orders), loop).result(60)
            assert one == other

        await asyncio.to_thread(ends_the_same)


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
