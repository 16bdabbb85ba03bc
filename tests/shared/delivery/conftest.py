from contextlib import AsyncExitStack

import pytest

from shared.cache import Cache
from tests.shared.broker import Broker
from tests.shared.delivery.lane import Lane
from tests.shared.delivery.neighbours import Neighbours
from tests.shared.delivery.worker import Letters, Post, Worker, WorkerSettings


@pytest.fixture
async def broker(rabbitmq_url):
    broker = Broker(rabbitmq_url)
    await broker.open()
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


@pytest.fixture
def settings(broker, neighbours, redis_url, internal_token):
    """Settings of a worker whose breaker opens and recovers quickly."""

    def make(**changes) -> WorkerSettings:
        usual = {
            "rabbitmq_url": broker.url,
            "redis_url": redis_url,
            "internal_service_token": internal_token,
            "user_service_url": neighbours.url,
            "template_service_url": neighbours.url,
            "circuit_breaker_failure_threshold": 3,
            "circuit_breaker_recovery_timeout": 0.2,
        }
        return WorkerSettings(**{**usual, **changes})

    return make


@pytest.fixture
async def start(settings):
    """Starts a worker that runs until the test's end; what it is made of can be changed."""
    async with AsyncExitStack() as running:

        async def started(channel=None, post=None, rate=None, **changes) -> Worker:
            worker = Worker(channel or Letters(), post or Post(), settings(**changes), rate)
            return await running.enter_async_context(worker.running())

        yield started


@pytest.fixture
def lane(broker) -> Lane:
    return Lane(broker)
