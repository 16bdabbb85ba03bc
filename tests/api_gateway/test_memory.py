"""What RabbitMQ and Redis remember, and how it is noticed that they do not."""

import asyncio
from datetime import UTC, datetime

import pytest

from api_gateway.memory import Memory
from shared.delivery.claims import Claims, complete_since_key
from tests.api_gateway import engines
from tests.api_gateway.reconciler.conftest import database
from tests.shared.broker import Broker, until
from tests.shared.delivery.conftest import broker, cache

__all__ = ["broker", "cache", "database"]


@pytest.fixture
async def elsewhere():
    """What RabbitMQ is after it lost its disk: it knows nothing."""
    async with engines.fresh_vhost() as url:
        broker = Broker(url)
        await broker.open()
        yield broker
        await broker.close()


async def test_a_rabbitmq_that_lost_its_disk_is_another_one(database, broker, elsewhere, cache):
    memory = Memory(database, await broker.link("one"), cache)
    assert await memory.broker_is_known() is None
    await memory.begin_with_broker()
    assert await memory.broker_is_known() is True
    after = Memory(database, await elsewhere.link("other"), cache)
    assert await after.broker_is_known() is False
    await after.begin_with_broker()
    assert await after.broker_is_known() is True


async def test_an_empty_redis_knows_of_nothing_before(database, broker, cache):
    memory = Memory(database, await broker.link("one"), cache)
    first = (await memory.knowledge()).claims_since
    assert (await memory.knowledge()).claims_since == first
    await cache.command("FLUSHDB")
    assert (await memory.knowledge()).claims_since >= first


async def is_noted(cache):
    return await cache.command("EXISTS", complete_since_key(cache)) == 1


async def test_a_gateway_has_redis_note_claims_from_its_start(start, cache, redis_url):
    await start(REDIS_URL=redis_url)
    await until(lambda: is_noted(cache))
    started_before = datetime.now(UTC)
    await asyncio.sleep(1)  # Redis notes whole seconds
    assert await Claims(cache).complete_since() < started_before


async def test_after_redis_lost_everything_it_notes_anew(database, broker, cache, monkeypatch):
    monkeypatch.setattr("api_gateway.memory._LOOK_AT_CLAIMS_SECONDS", 0.05)
    memory = Memory(database, await broker.link("one"), cache)
    await memory.open()
    assert await is_noted(cache)
    await cache.command("FLUSHDB")
    await until(lambda: is_noted(cache))
    await memory.close()
