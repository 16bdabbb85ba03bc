from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.outcome import OUTCOME, Dead, Deferred, Retry, Sent, Skipped
from shared.delivery.pipeline import Result
from shared.delivery.plan import aggregate, plan
from shared.messaging.addressed import OUTCOME_HEADER, REASON_HEADER, read_notification
from shared.messaging.topology import RETRY, RETRY_HEADER
from shared.schemas.vocabulary import Reason, Status
from shared.schemas.wire import OutcomeReport
from tests.shared.broker import notification

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)

SENT = Sent(provider="fcm", message_id="m1")
RETRY_2 = Retry(after=2.0)
DEFERRED = Deferred(until=LATER)
TOKEN_DEAD = Dead(reason=Reason.TOKEN_INVALID)
REFUSED = Dead(reason=Reason.CONTENT_REJECTED)
SKIPPED = Skipped(reason=Reason.NO_ADDRESS)

outcomes = st.sampled_from(
    [SENT, RETRY_2, Retry(after=8.0), DEFERRED, TOKEN_DEAD, REFUSED, SKIPPED]
)
several = st.lists(outcomes, min_size=1, max_size=5).map(
    lambda found: [Result(f"device-{n}", outcome) for n, outcome in enumerate(found)]
)


def planned(results, **changes):
    return plan(notification(**changes), results, NOW, NOW)


def lone(outcome):
    return [Result("", outcome)]


def test_a_sent_message_is_reported_and_goes_nowhere():
    made = planned(lone(SENT))
    assert (made.status, made.hand_off) == (Status.SENT, None)
    [report] = made.reports
    assert (report.provider, report.provider_message_id, report.partial) == ("fcm", "m1", False)


def test_a_retry_takes_a_new_hop_and_a_new_attempt_through_its_tier():
    message = notification(hop=3, attempt=2, waits=4)
    made = plan(message, lone(Retry(after=4.0)), NOW, NOW)
    assert made.hand_off is not None
    assert made.hand_off.exchange == RETRY
    assert made.hand_off.headers[RETRY_HEADER] in (4000, 4600, 5200)
    onward = read_notification(made.hand_off.body)
    assert (onward.hop, onward.attempt, onward.waits) == (4, 3, 0)
    assert onward.id == message.id
    assert made.reports[-1].status is Status.RETRYING


@pytest.mark.parametrize("outcome", [Retry(after=60.0), DEFERRED])
def test_a_longer_wait_goes_through_the_outbox(outcome):
    made = planned(lone(outcome), attempt=2)
    assert made.hand_off is None
    [report] = made.reports
    assert report.onward is not None
    assert report.due == LATER
    is_retry = isinstance(outcome, Retry)
    assert (report.onward.attempt, report.onward.waits) == ((3, 0) if is_retry else (2, 1))


def test_a_dead_message_goes_to_the_dead_letters_with_what_became_of_it():
    made = planned(lone(REFUSED))
    assert made.status is Status.FAILED
    assert made.hand_off is not None
    assert made.hand_off.headers[REASON_HEADER] == "content_rejected"
    report = OutcomeReport.model_validate_json(made.hand_off.headers[OUTCOME_HEADER])
    assert report.reason is Reason.CONTENT_REJECTED
    assert made.reports == [], "the gateway learns it from the dead letter"


def test_a_retry_carries_only_the_unfinished_devices():
    results = [Result("a", SENT), Result("b", RETRY_2), Result("c", DEFERRED), Result("d", REFUSED)]
    made = planned(results)
    assert made.hand_off is not None
    onward = read_notification(made.hand_off.body)
    assert onward.devices == ("b", "c")
    assert onward.reached


@pytest.mark.parametrize(
    ("found", "reached", "expected"),
    [
        ([SENT, TOKEN_DEAD], False, SENT),
        ([TOKEN_DEAD, REFUSED], False, REFUSED),
        ([TOKEN_DEAD, TOKEN_DEAD], False, TOKEN_DEAD),
        ([SENT, RETRY_2, Retry(after=8.0)], False, Retry(after=8.0)),
        ([SENT, DEFERRED], False, DEFERRED),
        ([SKIPPED], False, SKIPPED),
        ([TOKEN_DEAD], True, Sent(detail="another device was reached before")),
    ],
)
def test_several_copies_make_one_outcome(found, reached, expected):
    results = [Result(str(n), outcome) for n, outcome in enumerate(found)]
    assert aggregate(notification(reached=reached), results) == expected


@given(several, st.booleans())
def test_invariant_every_message_is_told_of_or_handed_on(results, reached):
    """Invariant: no outcome leaves a message without a report, a hand-off or a dead letter."""
    made = planned(results, reached=reached)
    if made.hand_off is None:
        assert not made.reports[-1].partial
    goes_on = made.status in (Status.RETRYING, Status.DEFERRED)
    by_outbox = bool(made.reports) and made.reports[-1].onward is not None
    by_broker = made.hand_off is not None
    assert (by_outbox or (by_broker and made.status is not Status.FAILED)) == goes_on
    assert (made.status is Status.FAILED) == (by_broker and not goes_on)


@given(several)
def test_invariant_whoever_was_reached_is_never_tried_again(results):
    """Invariant: a device with a receipt, or refused for good, is in no onward message."""
    made = planned(results)
    onward = made.reports[-1].onward if made.reports else None
    if made.hand_off is not None and made.status is Status.RETRYING:
        onward = read_notification(made.hand_off.body)
    if onward is not None:
        done = {r.device for r in results if not isinstance(r.outcome, Retry | Deferred)}
        assert onward.devices is not None
        assert done.isdisjoint(onward.devices)


@given(several)
def test_planned_twice_the_reports_have_the_same_names(results):
    message = notification()
    first, second = (plan(message, results, NOW, NOW) for _ in range(2))
    names = [report.event_id for report in first.reports]
    assert names == [report.event_id for report in second.reports]
    assert len(set(names)) == len(names)


@given(outcomes)
def test_an_outcome_is_stored_and_read_back(outcome):
    assert OUTCOME.validate_json(outcome.model_dump_json(exclude_none=True)) == outcome
