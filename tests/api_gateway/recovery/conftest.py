"""A recovery that goes on when it is told to, on real engines."""

from datetime import datetime

import pytest

from api_gateway.memory import Memory
from api_gateway.recovery.batch import Batches
from api_gateway.recovery.recoveries import Recoveries
from api_gateway.recovery.runner import RecoveryRunner
from shared.cache import Cache
from shared.delivery.claims import Claims
from shared.messaging import Publisher
from shared.outbox import Relay
from tests.api_gateway.reconciler.conftest import database, memory, remembering
from tests.shared.broker import until
from tests.shared.delivery.conftest import broker, cache

__all__ = ["broker", "cache", "database", "memory", "remembering"]


@pytest.fixture
def recoveries(database):
    return Recoveries(database)


@pytest.fixture
def make_runner(database, broker, memory, recoveries, cache):
    """Runners of gateways that share everything; each with a relay that publishes nothing."""

    async def made(*, of: Cache = cache, memory: Memory = memory) -> RecoveryRunner:
        link = await broker.link("recovering")
        batches = Batches(database, Claims(of))
        relay = Relay(database, Publisher(link))
        return RecoveryRunner(recoveries, batches, memory, link, relay)

    return made


@pytest.fixture
async def runner(make_runner):
    return await make_runner()


@pytest.fixture
def recover(recoveries, runner):
    """Begins a recovery and carries it on to its end."""

    async def recovered(restored_from: datetime | None = None, rate: int = 100_000):
        started = await recoveries.add(restored_from, rate)
        assert started is not None
        return await finish(recoveries, runner, started.id)

    return recovered


async def finish(recoveries: Recoveries, runner: RecoveryRunner, recovery_id: int):
    async def is_finished() -> bool:
        await runner.step()
        return (await recoveries.get(recovery_id)).state == "finished"

    await until(is_finished)
    return await recoveries.get(recovery_id)
