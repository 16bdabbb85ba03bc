import os
import uuid

import pytest

from shared.cache import Cache
from tests.shared.cache.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    """Any Redis: the one that is given, else a private one."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
def private_redis(tmp_path):
    """A Redis that the test may break."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def connect():
    """Makes caches that are closed after the test; those of one test share a namespace."""
    namespace = f"test-{uuid.uuid4()}"
    opened = []

    async def connected(url, **options):
        # Patient: a busy machine is not what these tests are about.
        options = {"timeout": 10.0, "namespace": namespace, **options}
        cache = Cache(url, **options)
        opened.append(cache)
        await cache.open()
        return cache

    yield connected
    for cache in opened:
        await cache.close()


@pytest.fixture
async def cache(connect, redis_url):
    return await connect(redis_url)
