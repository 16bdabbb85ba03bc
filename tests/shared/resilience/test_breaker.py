import asyncio

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.errors import BreakerOpen
from shared.resilience.breaker import Breaker


class Down(Exception):
    """The far side failed."""


class Refused(Exception):
    """The far side answered, and said no."""


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("far", failures=3, recovery_seconds=60.0, counts=(Down,), clock=clock)


async def fail(breaker, error=Down):
    with pytest.raises(error), breaker.guard():
        raise error("no")


async def succeed(breaker):
    with breaker.guard():
        pass


async def open_up(breaker):
    for _ in range(3):
        await fail(breaker)
    assert breaker.state == "open"


async def test_it_opens_after_failures_in_a_row_and_says_for_how_long(breaker, clock):
    await fail(breaker)
    await fail(breaker)
    assert breaker.state == "closed"
    await fail(breaker)
    assert breaker.state == "open"
    clock.now += 20
    with pytest.raises(BreakerOpen) as refusal:
        await succeed(breaker)
    assert refusal.value.name == "far"
    assert refusal.value.retry_after == pytest.approx(40)
    assert breaker.retry_after == pytest.approx(40)


async def test_a_success_begins_the_count_anew(breaker):
    for _ in range(4):
        await fail(breaker)
        await fail(breaker)
        await succeed(breaker)
    assert breaker.state == "closed"


async def test_exceptions_that_do_not_count_change_nothing(breaker):
    await fail(breaker)
    await fail(breaker)
    for _ in range(10):
        await fail(breaker, Refused)
    assert breaker.state == "closed"
    await fail(breaker)
    assert breaker.state == "open"


async def test_an_answer_that_proves_health_is_a_success(clock):
    breaker = Breaker("far", failures=3, counts=(Down,), proves_health=(Refused,), clock=clock)
    await fail(breaker)
    await fail(breaker)
    await fail(breaker, Refused)
    await fail(breaker)
    assert breaker.state == "closed"
    await fail(breaker)
    await fail(breaker)
    clock.now += 60
    await fail(breaker, Refused)
    assert breaker.state == "closed"


async def test_a_good_probe_closes_it(breaker, clock):
    await open_up(breaker)
    clock.now += 60
    assert breaker.state == "half_open"
    assert breaker.retry_after == 0
    await succeed(breaker)
    assert breaker.state == "closed"
    await fail(breaker)
    await fail(breaker)
    assert breaker.state == "closed"


async def test_it_stays_open_for_as_long_as_the_far_side_asks(clock):
    class Busy(Down):
        retry_after: float | None = None

    breaker = Breaker("far", failures=1, recovery_seconds=60.0, counts=(Down,), clock=clock)
    for asked, expected in ((None, 60), (5.0, 60), (300.0, 300), (1e9, 3600)):
        Busy.retry_after = asked
        await fail(breaker, Busy)
        assert breaker.retry_after == pytest.approx(expected)
        clock.now += expected


async def test_a_call_that_does_not_heal_leaves_the_count_and_closes_what_is_open(breaker, clock):
    for _ in range(2):
        await fail(breaker)
        with breaker.guard(heals=False):
            pass
    await fail(breaker)
    assert breaker.state == "open"
    clock.now += 60
    with breaker.guard(heals=False):
        pass
    assert breaker.state == "closed"


async def test_a_failed_probe_opens_it_for_the_whole_time_again(breaker, clock):
    await open_up(breaker)
    clock.now += 75
    await fail(breaker)
    assert breaker.state == "open"
    assert breaker.retry_after == pytest.approx(60)


async def test_exactly_one_probe_at_a_time(breaker, clock):
    await open_up(breaker)
    clock.now += 60
    gate = asyncio.Event()
    went_through = 0

    async def far_side():
        nonlocal went_through
        went_through += 1
        await gate.wait()

    calls = [asyncio.create_task(breaker.call(far_side)) for _ in range(10)]
    done, probing = await asyncio.wait(calls, timeout=0.1)
    assert went_through == 1
    assert len(probing) == 1
    assert all(isinstance(call.exception(), BreakerOpen) for call in done)
    assert 0 < breaker.retry_after <= 1
    gate.set()
    await asyncio.gather(*probing)
    assert breaker.state == "closed"
    assert breaker.retry_after == 0


@pytest.mark.parametrize("ending", ["cancelled", "other error"])
async def test_a_probe_without_a_result_leaves_its_place_to_the_next_call(breaker, clock, ending):
    await open_up(breaker)
    clock.now += 60
    if ending == "cancelled":
        probe = asyncio.create_task(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
    else:
        await fail(breaker, Refused)
    assert breaker.state == "half_open"
    assert breaker.retry_after == 0
    await succeed(breaker)
    assert breaker.state == "closed"


async def test_cancelled_calls_are_neither_failures_nor_successes(breaker):
    await fail(breaker)
    await fail(breaker)
    call = asyncio.create_task(breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert breaker.state == "closed"
    await fail(breaker)
    assert breaker.state == "open"


@pytest.mark.parametrize("late", [None, Down])
async def test_calls_that_began_before_it_opened_change_nothing_when_they_end(breaker, clock, late):
    gate = asyncio.Event()

    async def slow():
        await gate.wait()
        if late:
            raise late

    call = asyncio.create_task(breaker.call(slow))
    await asyncio.sleep(0)
    await open_up(breaker)
    clock.now += 30
    gate.set()
    [ending] = await asyncio.gather(call, return_exceptions=True)
    assert type(ending) is (late or type(None))
    assert breaker.state == "open"
    assert breaker.retry_after == pytest.approx(30)


async def test_listeners_hear_every_opening_and_closing(breaker, clock):
    heard = []
    breaker.on_opened(lambda: heard.append(("opened", breaker.state)))
    breaker.on_closed(lambda: heard.append(("closed", breaker.state)))
    await open_up(breaker)
    clock.now += 60
    await fail(breaker)
    clock.now += 60
    await succeed(breaker)
    assert heard == [("opened", "open"), ("opened", "open"), ("closed", "closed")]


async def test_changes_are_logged_and_measured(clock):
    def gauge():
        return REGISTRY.get_sample_value("carillon_breaker_open", {"name": "measured"})

    with capture_logs() as logs:
        breaker = Breaker("measured", failures=3, counts=(Down,), clock=clock)
        assert gauge() == 0
        await open_up(breaker)
        assert gauge() == 1
        clock.now += 60
        await fail(breaker)
        clock.now += 60
        with breaker.guard():
            assert gauge() == 0.5
        assert gauge() == 0
    told = [entry["event"] for entry in logs if entry["log_level"] != "debug"]
    assert told == ["breaker opened", "breaker closed"]
    assert logs[0]["error"] == "no"


async def test_call_passes_the_result_and_the_error_through(breaker):
    async def seven():
        return 7

    async def down():
        raise Down("the very one")

    assert await breaker.call(seven) == 7
    for _ in range(3):
        with pytest.raises(Down, match="the very one"):
            await breaker.call(down)
