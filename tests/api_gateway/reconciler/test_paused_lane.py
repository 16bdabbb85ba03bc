"""What waits in a paused lane is not lost, however much it is and however long it takes."""

import time

import pytest

from shared.messaging import Publisher
from shared.messaging.addressed import to_lane
from tests.api_gateway.reconciler.stalled import add, enqueued
from tests.shared.broker import notification

_AT_ONCE = 2000


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.endurance)])
async def test_behind_a_paused_lane_none_is_touched(reconciler, database, broker, count):
    """Invariant: the reconciler touches nothing that is queued behind a paused lane."""
    queued = await add(database, count=count)
    publisher = Publisher(await broker.link("publishing"))
    for start in range(0, count, _AT_ONCE):
        batch = [to_lane(notification(id=ident)) for ident in queued[start : start + _AT_ONCE]]
        assert set(await publisher.publish(batch)) == {None}
    assert await broker.count("email.queue") == count
    # Before it paused, the lane had delivered some; what lies behind in another lane is lost.
    async with database.driver() as connection:
        await connection.execute(
            "UPDATE notifications SET status = 'sent' WHERE id = ANY($1)", queued[: count // 20]
        )
    [lost] = await add(database, channel="push")
    looks = 0
    slowest = 0.0
    while lost not in await enqueued(database) or looks < 20:
        began = time.monotonic()
        await reconciler.look()
        slowest = max(slowest, time.monotonic() - began)
        looks += 1
        assert looks < 2 * count / 1000 + 20, "the lost one behind the many is found"
    print(f"{count} behind a paused lane: {looks} looks, the slowest took {slowest * 1000:.0f} ms")
    assert set(await enqueued(database)) == {lost}
