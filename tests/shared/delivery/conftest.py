import pytest

from shared.cache import Cache
from tests.shared.broker import Broker
from tests.shared.delivery.neighbours import Neighbours


@pytest.fixture
async def broker(rabbitmq_url):
    broker = Broker(rabbitmq_url)
    await broker.open()
    await broker.link("declaring")
    yield broker
    await broker.close()


@pytest.fixture
async def cache(redis_url):
    cache = Cache(redis_url, timeout=10.0)
    await cache.open()
    yield cache
    await cache.close()


@pytest.fixture
async def neighbours():
    """A user service and a template service that know what the test tells them."""
    async with Neighbours().serving() as running:
        yield running
