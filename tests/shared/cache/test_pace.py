import asyncio
import time
from itertools import pairwise

import pytest

from shared.cache import Pace
from shared.cache.pace import REACH_SECONDS


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


async def gathered(paces, *, seconds, wanted=5):
    """All moments that are given away while everybody asks as often as they can."""
    moments, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        answers = await asyncio.gather(*(pace.reserve(wanted) for pace in paces))
        moments += [moment for answer in answers for moment in answer.granted]
    return sorted(moments)


async def test_invariant_all_processes_together_keep_the_pace(connect, redis_url):
    """Invariant: however many ask, moments are a gap apart, and none lies beyond the reach."""
    paces = [Pace(await connect(redis_url), "smtp", 100) for _ in range(3)]
    started = time.monotonic()
    moments = await gathered(paces, seconds=1.0)
    lasted = time.monotonic() - started + REACH_SECONDS
    assert 70 * lasted <= len(moments) <= 100 * lasted + 1
    assert moments[-1] <= time.monotonic() + REACH_SECONDS
    assert [pace.share for pace in paces] == pytest.approx([100 / 3] * 3)


async def test_an_idle_pace_saves_nothing_up(connect, redis_url):
    pace = Pace(await connect(redis_url), "smtp", 10)
    await pace.reserve(1)
    await asyncio.sleep(0.5)
    before = time.monotonic()
    first, second = (await pace.reserve(2)).granted
    assert before <= first <= time.monotonic()
    assert second - first == pytest.approx(0.1)


async def test_slow_paces_say_when_to_ask_again(connect, redis_url):
    pace = Pace(await connect(redis_url), "twilio", 0.25)
    [first] = (await pace.reserve(5)).granted
    nothing = await pace.reserve(5)
    assert nothing.granted == ()
    assert nothing.ask_again_at == pytest.approx(first + 4 - REACH_SECONDS, abs=0.5)


async def test_every_key_ends_by_itself(cache):
    await Pace(cache, "smtp", 5).reserve(2)
    for kind in ("pace", "pace-processes"):
        assert 0 < await cache.command("PTTL", cache.durable_key(kind, "smtp")) <= 30_000


async def test_a_clock_that_was_set_back_stops_nobody(cache):
    pace = Pace(cache, "smtp", 5)
    key = cache.durable_key("pace", "smtp")
    await cache.command("SET", key, "9000000000000000", "PX", 60_000)
    assert len((await pace.reserve(1)).granted) == 1


async def test_without_redis_a_process_keeps_the_pace_alone(connect, private_redis):
    cache = await connect(private_redis.url)
    private_redis.kill()
    clock = Clock()
    pace = Pace(cache, "smtp", 100, clock=clock)
    moments = []
    for _ in range(100):
        moments += (await pace.reserve(7)).granted
        clock.now += 0.02
    assert len(moments) <= 100 * 2 + 100 * REACH_SECONDS + 1
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= 0.01 - 1e-9


async def test_without_redis_each_keeps_to_its_share(connect, private_redis):
    paces = [Pace(await connect(private_redis.url), "smtp", 100) for _ in range(2)]
    for _ in range(2):
        for pace in paces:
            await pace.reserve(1)
    private_redis.kill()
    started = time.monotonic()
    moments = await gathered(paces, seconds=0.5)
    lasted = time.monotonic() - started + REACH_SECONDS
    assert len(moments) <= 100 * lasted + 2
