"""A reconciler that looks when it is told to, on real engines."""

from datetime import timedelta

import pytest

from api_gateway.memory import Memory
from api_gateway.reconciler.reconciler import Reconciler
from api_gateway.reconciler.repository import StalledNotifications
from api_gateway.recovery.recoveries import Recoveries
from api_gateway.recovery.restoration import Restoration
from shared.delivery.claims import Claims
from tests.api_gateway.ledgers import migrated
from tests.api_gateway.reconciler.stalled import ago, remember_claims
from tests.shared.delivery.conftest import broker, cache, neighbours

__all__ = ["broker", "cache", "neighbours"]

AFTER = timedelta(minutes=5)


@pytest.fixture
async def database(postgres_url):
    async with migrated(postgres_url) as database:
        yield database


@pytest.fixture
async def remembering(cache):
    """A Redis that has had every claim for an hour."""
    await remember_claims(cache, since=ago(hours=1))


@pytest.fixture
async def memory(database, broker, cache, remembering):
    return Memory(database, await broker.link("looking"), cache)


@pytest.fixture
def make(database, broker, cache, memory):
    """Reconcilers of gateways that share everything."""

    async def made(**changes) -> Reconciler:
        parts = {
            "stalled": StalledNotifications(database),
            "link": await broker.link("reconciling"),
            "claims": Claims(cache),
            "memory": memory,
            "restoration": Restoration(Recoveries(database), memory, None),
            "after": AFTER,
            "every": timedelta(minutes=1),
        }
        return Reconciler(**(parts | changes))

    return made


@pytest.fixture
async def reconciler(make):
    return await make()
