"""What was in a worker's hands before, and comes while Redis is away: only Redis knows of it."""

import asyncio

import pytest

from shared.cache import ProfileCache
from shared.delivery import licence, pipeline
from shared.delivery.licence import Licences
from shared.delivery.outcome import Sent
from shared.schemas.profile import Profile, PushTarget
from tests.proxy import proxied
from tests.shared.broker import notification
from tests.shared.delivery.worker import Letters

SENT = Sent(provider="smtp", message_id="m1")


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(licence, "_AGAIN_SECONDS", 0.05)


@pytest.fixture
async def away(redis_url):
    """A Redis that this worker alone cannot reach, until it is restored."""
    async with proxied(redis_url) as (proxy, through):
        proxy.cut()
        yield proxy, through


@pytest.fixture
async def sent_elsewhere(cache):
    message = notification()
    other = Licences(cache)
    await ProfileCache(cache).put_many([Profile(user_id=1, version=1, email="ada@example.com")])
    await other.apply(message, "", version=1, on_unknown="resend")
    await other.settle([(message, "", SENT)])
    return message


async def test_it_waits_for_redis_and_is_not_sent_again(start, lane, away, sent_elsewhere):
    proxy, through = away
    await lane.put_again(sent_elsewhere)
    worker = await start(redis_url=through)
    await asyncio.sleep(1.0)
    assert not worker.post.sent
    proxy.restore()
    assert (await lane.report()).provider_message_id == "m1"
    assert not worker.post.sent


async def test_what_is_new_does_not_wait(start, lane, away):
    worker = await start(redis_url=away[1])
    await lane.put(notification())
    await lane.report()
    assert len(worker.post.sent) == 1


@pytest.mark.parametrize("devices", [0, 2])
async def test_redis_that_goes_away_at_the_last_moment_is_waited_for_too(
    start, lane, redis_url, neighbours, devices
):
    targets = tuple(PushTarget(id=f"d{n}", value=f"token-{n}") for n in range(devices))
    neighbours.profiles[1] = Profile(user_id=1, version=1, email="a@example.com", devices=targets)
    async with proxied(redis_url) as (proxy, through):
        await lane.put_again(notification())
        worker = await start(channel=Letters(before_sending=proxy.cut), redis_url=through)
        await asyncio.sleep(1.0)
        assert not worker.post.sent
        worker.channel.before_sending = lambda: None
        proxy.restore()
        await lane.report()
        assert len(worker.post.sent) == max(1, devices)


async def test_it_does_not_wait_for_ever(start, lane, away, monkeypatch):
    monkeypatch.setattr(pipeline, "_PATIENCE_SECONDS", 0.3)
    await lane.put_again(notification())
    worker = await start(redis_url=away[1])
    await lane.report()
    assert len(worker.post.sent) == 1
