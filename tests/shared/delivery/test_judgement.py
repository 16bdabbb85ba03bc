from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errors
from shared.delivery.judgement import Judge
from shared.delivery.outcome import Dead, Deferred, Retry
from shared.rendering import ContentTooLarge, MissingVariable, RenderFailed
from shared.resilience.schedule import RetrySchedule
from shared.schemas.vocabulary import Reason
from tests.shared.broker import notification

RESENDING = Judge(RetrySchedule(3), "resend")
HOLDING = Judge(RetrySchedule(3), "hold")
NOW = datetime.now(UTC)

transient = st.sampled_from(
    [
        errors.ProviderDeclined("later"),
        errors.ProviderThrottled("slower", retry_after=5),
        errors.OutcomeUnknown("silence"),
        ValueError("a bug"),
    ]
)
not_reached = st.sampled_from(
    [
        errors.ProviderUnavailable("away"),
        errors.ProviderMisconfigured("wrong password"),
        errors.NeighbourUnavailable("user service away"),
        errors.BreakerOpen("smtp", 3.0),
    ]
)


def judged(error: Exception, *, judge: Judge = RESENDING, **changes):
    return judge.outcome(error, notification(**changes), NOW, "smtp")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.RecipientRejected("no"), Reason.RECIPIENT_REJECTED),
        (errors.ContentRejected("no"), Reason.CONTENT_REJECTED),
        (errors.TokenInvalid("no"), Reason.TOKEN_INVALID),
        (MissingVariable("name"), Reason.MISSING_VARIABLE),
        (ContentTooLarge("body_text", 10), Reason.CONTENT_TOO_LARGE),
        (RenderFailed("subject", "broken"), Reason.RENDER_ERROR),
    ],
)
def test_what_is_permanent_is_final_at_once(error, reason):
    outcome = judged(error)
    assert isinstance(outcome, Dead)
    assert (outcome.reason, outcome.provider, outcome.detail) == (reason, "smtp", str(error))


@given(transient, st.integers(1, 3))
def test_what_is_transient_is_tried_again_two_four_and_eight_seconds_later(error, attempt):
    outcome = judged(error, attempt=attempt)
    assert isinstance(outcome, Retry)
    assert outcome.after == max(2.0**attempt, getattr(error, "retry_after", 0) or 0)


@given(transient, st.integers(4, 100))
def test_after_the_last_retry_it_is_dead(error, attempt):
    outcome = judged(error, attempt=attempt)
    assert isinstance(outcome, Dead)
    is_bug = isinstance(error, ValueError)
    assert outcome.reason is (Reason.INTERNAL_ERROR if is_bug else Reason.RETRIES_EXHAUSTED)


@given(not_reached, st.integers(1, 100), st.integers(0, 10**6), st.integers(1, 10**5))
def test_invariant_not_reaching_a_provider_costs_time_only(error, attempt, waits, seconds):
    """Invariant: an outage spends no attempt, and no wait outlives the notification."""
    expires_at = NOW + timedelta(seconds=seconds)
    outcome = judged(error, attempt=attempt, waits=waits, expires_at=expires_at)
    assert isinstance(outcome, Deferred)
    assert NOW < outcome.until <= min(expires_at, NOW + timedelta(seconds=60))


def test_a_provider_that_says_how_long_is_obeyed_within_the_lifetime():
    for kind, tells in (
        (errors.ProviderThrottled, lambda outcome: NOW + timedelta(seconds=outcome.after)),
        (errors.ProviderUnavailable, lambda outcome: outcome.until),
    ):
        patient = judged(kind("busy", retry_after=7200.0), expires_at=NOW + timedelta(days=1))
        assert tells(patient) == NOW + timedelta(hours=2)
        short_lived = judged(kind("busy", retry_after=7200.0), expires_at=NOW + timedelta(hours=1))
        assert tells(short_lived) == NOW + timedelta(hours=1)


def test_an_unknown_outcome_is_held_where_a_repeat_cannot_be_recognised():
    outcome = judged(errors.OutcomeUnknown("silence"), judge=HOLDING)
    assert isinstance(outcome, Dead)
    assert outcome.reason is Reason.OUTCOME_UNKNOWN


def test_a_message_may_say_for_itself_what_an_unknown_outcome_means():
    unknown = errors.OutcomeUnknown("silence")
    assert isinstance(judged(unknown, judge=HOLDING, on_unknown="resend"), Retry)
    held = judged(unknown, on_unknown="hold")
    assert isinstance(held, Dead)
    assert held.reason is Reason.OUTCOME_UNKNOWN


def test_a_detail_is_never_long():
    outcome = judged(errors.RecipientRejected("x" * 10_000))
    assert outcome.detail is not None
    assert len(outcome.detail) == 500
