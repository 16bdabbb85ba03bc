from hypothesis import given
from hypothesis import strategies as st

from shared.resilience.schedule import RetrySchedule, backoff

attempts = st.integers(1, 10_000)
seconds = st.floats(0, 1e9)


def test_three_retries_after_two_four_and_eight_seconds():
    schedule = RetrySchedule()
    assert [schedule.delay(n) for n in range(1, 6)] == [2, 4, 8, None, None]


def test_larger_settings_double_up_to_an_hour():
    schedule = RetrySchedule(max_retries=14)
    assert [schedule.delay(n) for n in range(9, 15)] == [512, 1024, 2048, 3600, 3600, 3600]


def test_no_retries_at_all():
    assert RetrySchedule(max_retries=0).delay(1) is None


@given(attempts, st.integers(0, 10_000), st.none() | seconds)
def test_there_is_a_delay_exactly_while_retries_are_left(attempt, retries, hint):
    delay = RetrySchedule(max_retries=retries).delay(attempt, hint)
    assert (delay is None) == (attempt > retries)


@given(attempts, seconds)
def test_a_hint_lengthens_the_wait_and_never_shortens_it(attempt, hint):
    schedule = RetrySchedule(max_retries=10_000)
    plain, hinted = schedule.delay(attempt), schedule.delay(attempt, hint)
    assert hinted == max(plain, hint)


@given(attempts)
def test_delays_never_shrink(attempt):
    schedule = RetrySchedule(max_retries=10_001)
    assert schedule.delay(attempt) <= schedule.delay(attempt + 1) <= schedule.cap


@given(st.integers(-5, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_backoff_stays_between_its_base_and_a_ceiling_that_grows(n, drawn):
    wait = backoff(n, draw=lambda: drawn)
    assert 5 <= wait <= min(300, 5 * 2.0 ** min(max(n, 1), 62))
    assert wait <= backoff(n + 1, draw=lambda: drawn)


def test_backoffs_differ():
    assert len({backoff(10) for _ in range(50)}) > 40
