import asyncio
import random

import pytest

from shared.cache import PROFILE_TTL_SECONDS, ProfileCache, profile_key
from shared.errors import CacheUnavailable
from shared.schemas.profile import Profile, PushTarget
from shared.schemas.vocabulary import Channel
from tests.shared.cache.waiting import until


async def times_run(cache):
    return (await cache.command("INFO", "commandstats"))["cmdstat_evalsha"]["calls"]


async def was_run_after(cache, before):
    return await times_run(cache) > before


COMPARE = "return tonumber(string.match(redis.call('GETRANGE', KEYS[1], 0, 20), '^(%d+)|'))"


def profile(user_id=1, version=1, **facts):
    return Profile(user_id=user_id, version=version, **facts)


@pytest.fixture
def profiles(cache):
    return ProfileCache(cache)


async def test_what_was_put_is_got_and_the_rest_is_missing(profiles):
    john = profile(
        1,
        7,
        email="jöhn@example.com",
        devices=(PushTarget(id="d1", value="a|b"),),
        enabled=frozenset({Channel.EMAIL}),
    )
    await profiles.put_many([john, profile(2)])
    assert await profiles.get_many([3, 2, 1]) == {1: john, 2: profile(2)}


async def test_nothing_asked_or_put_is_no_trip(profiles):
    assert await profiles.get_many([]) == {}
    await profiles.put_many([])


async def test_a_thousand_at_once(profiles):
    many = [profile(n) for n in range(1000)]
    await profiles.put_many(many)
    assert list((await profiles.get_many(range(1000))).values()) == many


async def test_entries_live_thirty_seconds_from_their_reading(cache, profiles):
    await profiles.put_many([profile(1)])
    await profiles.put_many([profile(2)], age=20.0)
    lives = await cache.pipeline([("PTTL", profile_key(cache, n)) for n in (1, 2)])
    assert lives == [
        pytest.approx(1000 * PROFILE_TTL_SECONDS, abs=1500),
        pytest.approx(10_000, abs=1500),
    ]
    assert max(lives) <= 1000 * PROFILE_TTL_SECONDS


async def test_what_was_read_too_long_ago_is_not_written(profiles):
    with pytest.raises(CacheUnavailable, match="too late"):
        await profiles.put_many([profile()], age=PROFILE_TTL_SECONDS + 1.0)
    assert await profiles.get_many([1]) == {}


async def test_a_slow_filler_never_replaces_a_newer_profile(profiles):
    await profiles.put_many([profile(version=2, email="new@example.com")])
    await profiles.put_many([profile(version=1, email="old@example.com")])
    assert (await profiles.get_many([1]))[1].email == "new@example.com"


async def test_versions_are_numbers_not_texts(profiles):
    await profiles.put_many([profile(version=9)])
    await profiles.put_many([profile(version=10)])
    await profiles.put_many([profile(version=9)])
    assert (await profiles.get_many([1]))[1].version == 10


async def test_writers_in_any_order_leave_the_newest(connect, redis_url):
    """Invariant: whatever the order of the writers, the newest version stays."""
    many = [ProfileCache(await connect(redis_url)) for _ in range(4)]
    versions = list(range(1, 201))
    random.shuffle(versions)
    writes = [
        many[n % 4].put_many([profile(1, version), profile(2, 201 - version)])
        for n, version in enumerate(versions)
    ]
    await asyncio.gather(*writes)
    held = await many[0].get_many([1, 2])
    assert [held[1].version, held[2].version] == [200, 200]


async def test_a_deleted_user_does_not_come_back(cache, profiles):
    await profiles.put_many([profile(version=4)])
    await profiles.forget(1, 5)
    assert await profiles.get_many([1]) == {}
    await profiles.put_many([profile(version=4)])
    await profiles.put_many([profile(version=5)])
    assert await profiles.get_many([1]) == {}
    life = await cache.command("PTTL", profile_key(cache, 1))
    assert life > 1000 * PROFILE_TTL_SECONDS


async def test_a_late_deletion_does_not_hide_a_newer_profile(profiles):
    await profiles.put_many([profile(version=6)])
    await profiles.forget(1, 5)
    assert (await profiles.get_many([1]))[1].version == 6


async def test_a_script_compares_versions_as_documented(cache, profiles):
    script = cache.script(COMPARE)
    key = profile_key(cache, 1)
    assert await script([key]) is None
    await profiles.put_many([profile(version=41)])
    assert await script([key]) == 41
    await profiles.forget(1, 42)
    assert await script([key]) == 42


@pytest.mark.parametrize("entry", ["", "7", "7|{", "7|{}", "noise", "|", b"\xff\xfe|\x00"])
async def test_unreadable_entries_are_as_good_as_none(cache, profiles, entry):
    await cache.command("SET", profile_key(cache, 1), entry, "PX", 10_000)
    assert await profiles.get_many([1]) == {}
    await profiles.put_many([profile(version=8)])
    assert (await profiles.get_many([1]))[1].version == 8


async def test_a_writer_is_told_that_redis_was_not(connect, private_redis):
    profiles = ProfileCache(await connect(private_redis.url))
    await profiles.put_many([profile()])
    private_redis.kill()
    for call in (
        profiles.put_many([profile(version=2)]),
        profiles.forget(1, 2),
        profiles.get_many([1]),
    ):
        with pytest.raises(CacheUnavailable):
            await call


async def test_a_write_that_reaches_redis_too_late_changes_nothing(connect, private_redis):
    """Invariant: an entry is never used longer than its life after it was read.

    A filler's command lies in a stopped Redis while the user service changes the profile, and is
    carried out when Redis goes on.
    """
    owner = await connect(private_redis.url)
    await ProfileCache(owner).put_many([profile(2)])  # Redis knows the script now
    before = await times_run(owner)
    filler = ProfileCache(await connect(private_redis.url, timeout=0.5))
    private_redis.stop_answering()
    with pytest.raises(CacheUnavailable):
        await filler.put_many([profile(1)], age=PROFILE_TTL_SECONDS - 1.0)
    await asyncio.sleep(1.0)  # the life of what was read ends meanwhile
    private_redis.answer_again()
    await until(lambda: was_run_after(owner, before))
    assert await owner.command("EXISTS", profile_key(owner, 1)) == 0
