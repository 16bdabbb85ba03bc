import pytest

from tests.shared.broker import Broker


@pytest.fixture
async def broker(rabbitmq_url):
    broker = Broker(rabbitmq_url)
    await broker.open()
    yield broker
    await broker.close()


@pytest.fixture
async def link(broker):
    """One link; the whole topology is declared."""
    return await broker.link()
