import asyncio
import random

import pytest

from shared.cache import Allowance, RateLimiter, rate_limit_headers
from shared.cache.limits import LocalWindows
from tests.shared.cache.waiting import until


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
async def gone(connect, private_redis):
    """A cache whose Redis is away."""
    cache = await connect(private_redis.url)
    private_redis.kill()
    return cache


def seen(allowances):
    return [(a.allowed, a.remaining) for a in allowances]


async def test_a_bucket_allows_its_limit_and_refusals_use_nothing(cache):
    limiter = RateLimiter(cache, limit=3, window_seconds=60)
    assert seen(await limiter.take(["u1", "u1", "u2", "u1", "u1"])) == [
        (True, 2),
        (True, 1),
        (True, 2),
        (True, 0),
        (False, 0),
    ]
    used = await cache.command("GET", cache.durable_key("limit:default", "u1"))
    assert used == b"3"


async def test_no_buckets_is_no_trip(cache):
    assert await RateLimiter(cache, limit=3, window_seconds=60).take([]) == []


async def test_policies_count_apart(cache):
    users = RateLimiter(cache, limit=1, window_seconds=60)
    keys = RateLimiter(cache, limit=1, window_seconds=60, policy="key")
    assert seen(await users.take(["1"])) == seen(await keys.take(["1"])) == [(True, 0)]


async def test_five_hundred_at_once_over_two_processes_get_exactly_the_limit(connect, redis_url):
    """Invariant: a bucket never allows more, and never less, than its limit in a window."""
    limiters = [
        RateLimiter(await connect(redis_url), limit=100, window_seconds=60) for _ in range(2)
    ]
    taken = await asyncio.gather(*(limiters[n % 2].take(["crowd"]) for n in range(500)))
    allowed = [one for [one] in taken if one.allowed]
    assert sorted(one.remaining for one in allowed) == list(range(100))


async def test_the_window_ends(cache):
    limiter = RateLimiter(cache, limit=1, window_seconds=1)
    [first] = await limiter.take(["u"])
    assert first.allowed
    assert 0 < first.reset_after_seconds <= 1

    async def is_allowed():
        return (await limiter.take(["u"]))[0].allowed

    await until(is_allowed)


async def test_every_bucket_ends_by_itself(cache):
    limiter = RateLimiter(cache, limit=2, window_seconds=60)
    await limiter.take(["a", "b", "b", "b"])
    key = cache.durable_key("limit:default", "a")
    assert 0 < await cache.command("PTTL", key) <= 60_000
    await cache.command("PERSIST", key)
    await limiter.take(["a"])
    assert 0 < await cache.command("PTTL", key) <= 60_000


async def test_limits_outlive_a_restart(connect, private_redis):
    cache = await connect(private_redis.url)
    limiter = RateLimiter(cache, limit=2, window_seconds=600)
    await limiter.take(["u", "u"])
    await asyncio.to_thread(private_redis.restart)
    await cache.ping()
    assert seen(await limiter.take(["u"])) == [(False, 0)]


async def test_without_redis_each_process_counts_by_itself(gone):
    limiter = RateLimiter(gone, limit=3, window_seconds=60)
    assert seen(await limiter.take(["u"] * 5)) == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
        (False, 0),
    ]
    assert seen(await limiter.take(["u", "v"])) == [(False, 0), (True, 2)]


async def test_with_and_without_redis_the_answers_are_the_same(cache, gone):
    buckets = [random.choice("abcd") for _ in range(100)]
    answers = [
        seen(await RateLimiter(c, limit=20, window_seconds=60).take(buckets)) for c in (cache, gone)
    ]
    assert answers[0] == answers[1]


def test_a_local_window_ends_too():
    clock = Clock()
    windows = LocalWindows(1, 60, clock=clock)
    assert windows.take("u") == (True, 1, 60)
    clock.now += 59
    assert windows.take("u") == (False, 1, 1)
    clock.now += 1
    assert windows.take("u") == (True, 1, 60)


def test_local_windows_are_bounded_and_forget_what_was_used_longest_ago():
    windows = LocalWindows(1, 60, max_buckets=3, clock=Clock())
    for bucket in ["a", "b", "c", "a", "d"]:
        windows.take(bucket)
    assert not windows.take("a")[0]
    assert windows.take("b")[0]
    assert len(windows) == 3


def test_headers_say_policy_rest_and_reset():
    allowance = Allowance(True, limit=100, remaining=50, reset_after_seconds=29.2, window=60)
    assert rate_limit_headers(allowance) == {
        "RateLimit-Policy": '"default";q=100;w=60',
        "RateLimit": '"default";r=50;t=30',
    }


@pytest.mark.parametrize(("left", "seconds"), [(29.0, "29"), (29.001, "30"), (0.0, "1")])
def test_a_refusal_says_when_to_come_back_and_never_too_early(left, seconds):
    allowance = Allowance(False, 1, remaining=0, reset_after_seconds=left, window=60, policy="key")
    assert rate_limit_headers(allowance) == {
        "RateLimit-Policy": '"key";q=1;w=60',
        "RateLimit": f'"key";r=0;t={seconds}',
        "Retry-After": seconds,
    }
