import asyncio

import pytest

from shared.batching import Gatherer
from shared.errors import Overloaded


async def test_a_lone_call_waits_for_nobody():
    sizes = []

    async def work(items):
        sizes.append(len(items))
        return [item * 2 for item in items]

    double = Gatherer(work)
    assert await double(21) == 42
    assert sizes == [1]


async def test_calls_of_one_moment_are_done_together():
    sizes = []

    async def work(items):
        sizes.append(len(items))
        return items

    same = Gatherer(work, max_items=40)
    assert await asyncio.gather(*map(same, range(100))) == list(range(100))
    assert sizes == [40, 40, 20]


async def test_one_callers_error_is_not_its_neighbours():
    async def work(items):
        return [ValueError("odd") if item % 2 else item for item in items]

    even = Gatherer(work)
    results = await asyncio.gather(*map(even, range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [int, ValueError, int, ValueError]


async def test_an_error_of_the_gathering_reaches_every_caller():
    async def work(_items):
        raise OSError("gone")

    broken = Gatherer(work)
    results = await asyncio.gather(broken(1), broken(2), return_exceptions=True)
    assert [str(result) for result in results] == ["gone", "gone"]


async def test_a_cancelled_caller_leaves_the_others_alone():
    begun, gate = asyncio.Event(), asyncio.Event()

    async def work(items):
        begun.set()
        await gate.wait()
        return items

    slow = Gatherer(work)
    first, second = asyncio.create_task(slow(1)), asyncio.create_task(slow(2))
    await begun.wait()
    first.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == 2


async def test_a_full_gatherer_refuses_at_once_and_takes_again():
    gate = asyncio.Event()

    async def work(items):
        await gate.wait()
        return items

    small = Gatherer(work, max_items=2, max_running=1, max_waiting=3)
    begun = [asyncio.create_task(small(n)) for n in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(small(n)) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await small(9)
    gate.set()
    assert await asyncio.gather(*begun, *waiting) == [0, 1, 0, 1, 2]
    assert await small(9) == 9


async def test_a_pace_lets_gatherings_grow_and_a_lone_call_go_at_once():
    began = []

    async def work(items):
        began.append((asyncio.get_running_loop().time(), len(items)))
        return items

    paced = Gatherer(work, every=0.05)
    start = asyncio.get_running_loop().time()
    assert await paced(0) == 0
    assert asyncio.get_running_loop().time() - start < 0.04
    later = []
    for n in range(1, 6):
        later.append(asyncio.create_task(paced(n)))
        await asyncio.sleep(0.002)
    assert await asyncio.gather(*later) == [1, 2, 3, 4, 5]
    (first_at, _), (second_at, size) = began
    assert size == 5
    assert second_at - first_at >= 0.049
