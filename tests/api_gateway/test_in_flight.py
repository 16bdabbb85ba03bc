"""What is made anew from row and timeline is what the worker had handed on."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import uuid_utils.compat as uuid_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_gateway import in_flight
from api_gateway.accept.hand_off import HAND_OFF_LEASE
from api_gateway.accept.order import Hold, Order
from api_gateway.accept.repository import Acceptances
from api_gateway.batches.repository import BatchOrder, BatchRepository
from shared.delivery.outcome import Dead, Deferred, Retry, Sent
from shared.delivery.pipeline import Result
from shared.delivery.plan import plan
from shared.schemas.access import Caller, Scope
from shared.schemas.notifications import SendRequest
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import NotificationMessage
from tests.api_gateway.ledgers import NOON, add_notification, migrated, record, row_of

DEVICES = ("phone", "tablet", "watch")
GOES_ON = Retry | Deferred

takes = st.sampled_from([1, 1, 1, 2])
going_on = st.one_of(
    st.builds(Retry, after=st.sampled_from([2.0, 8.0, 60.0]), provider=st.just("fcm"), takes=takes),
    st.builds(Deferred, until=st.just(NOON + timedelta(hours=1)), takes=takes),
)
outcomes = st.one_of(
    going_on,
    st.builds(Sent, provider=st.just("fcm"), takes=takes),
    st.just(Dead(reason=Reason.TOKEN_INVALID)),
)


@st.composite
def ways(draw):
    """Hops that all end in a retry or a deferral: what became of each device that was left."""
    hops = []
    left = draw(st.sampled_from([("",), DEVICES[:1], DEVICES]))
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()) and draw(st.booleans()):
            # Nobody could be asked about the user: no device was tried.
            hops.append({"": draw(going_on)})
            continue
        hop = {device: draw(outcomes) for device in left}
        lucky = draw(st.sampled_from(left))
        hop[lucky] = draw(going_on)
        hops.append(hop)
        left = tuple(device for device, outcome in hop.items() if isinstance(outcome, GOES_ON))
    return hops


@pytest.mark.parametrize("is_of_batch", [False, True])
@pytest.mark.parametrize("sensitive", [(), ("code",), None])
async def test_what_was_accepted_is_what_stands_in_the_outbox(postgres_url, sensitive, is_of_batch):
    order = Order(
        id=uuid_utils.uuid7(),
        request=SendRequest(
            user_id=7,
            channel="sms",
            template_id="code",
            variables={"code": "271828", "list": [1, 2.5, None, {"deep": "\u2603"}]},
            priority="critical",
            category="one_time_code",
            locale="pt-BR",
        ),
        caller=Caller(key_id=None, name="test", scopes=frozenset({Scope.SEND}), mode="test"),
        correlation_id="test",
        traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
        idempotency_key=None,
        fingerprint_key=b"",
        created_at=datetime.now(UTC),
        on_unknown="hold",
        template_version=3,
        sensitive=sensitive,
    )
    order.expires_at = order.created_at + timedelta(minutes=10)
    async with migrated(postgres_url) as database:
        if is_of_batch:
            order.hold, order.position = await held_batch(database, order), 0
        assert await Acceptances(database).insert([order], HAND_OFF_LEASE) == {order.id}
        assert await message_of(database, order.id) == order.written().message


async def held_batch(database, order):
    hold = Hold(uuid_utils.uuid7(), uuid4())
    batch = BatchOrder(hold.batch_id, order.caller, 1, None, b"", "test", order.created_at)
    assert await BatchRepository(database).begin(batch, hold.holder)
    return hold


async def message_of(database, notification_id):
    async with database.driver() as connection:
        row = await connection.fetchrow(
            "SELECT * FROM notifications WHERE id = $1", notification_id
        )
        events = await connection.fetch(in_flight.EVENTS, [notification_id])
    [message] = in_flight.messages([row], events).values()
    return message


def sent_on(planned, message):
    """The message that the plan hands on: in the retry tier, or with its report."""
    if planned.hand_off is not None:
        return NotificationMessage.model_validate_json(planned.hand_off.body)
    return next(report.onward for report in planned.reports if report.onward is not None)


def comparable(message):
    """Devices have no order."""
    return message.model_copy(update={"devices": set(message.devices or ()) or None})


async def test_it_is_the_very_message_that_was_handed_on(postgres_url):
    """Invariant: a copy that is sent anew has the id, generation, hop, attempt of the lost one."""
    loop = asyncio.get_running_loop()

    async with migrated(postgres_url) as database:

        async def play(hops):
            notification_id = await add_notification(database)
            message = await message_of(database, notification_id)
            assert (message.hop, message.attempt) == (1, 1)
            for number, hop in enumerate(hops, 1):
                now = NOON + timedelta(minutes=number)
                results = [Result(device, outcome) for device, outcome in hop.items()]
                planned = plan(message, results, now, now)
                await record(database, planned.reports)
                message = sent_on(planned, message)
                found = await message_of(database, notification_id)
                assert comparable(found) == comparable(message)
            row = await row_of(database, notification_id)
            assert row["status"] in in_flight.UNDER_WAY

        @settings(
            max_examples=50,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(ways())
        def is_the_very_message(hops):
            asyncio.run_coroutine_threadsafe(play(hops), loop).result(60)

        await asyncio.to_thread(is_the_very_message)
