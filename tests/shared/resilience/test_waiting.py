import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from shared.errors import BrokerUnavailable, CacheUnavailable, DatabaseUnavailable
from shared.resilience.waiting import until_open


class Engine:
    name = "postgres"

    def __init__(self, *errors):
        self.errors = list(errors)
        self.opened = 0

    async def open(self):
        if self.errors:
            raise self.errors.pop(0)
        self.opened += 1


async def test_it_tries_until_the_resource_is_open_and_says_what_it_waits_for():
    engine = Engine(ConnectionRefusedError("connection refused"), DatabaseUnavailable("starting"))
    with capture_logs() as logs:
        await until_open(engine, log=structlog.get_logger())
    assert engine.opened == 1
    assert [entry["event"] for entry in logs] == [
        "waiting for postgres: connection refused",
        "waiting for postgres: starting",
    ]
    assert {entry["log_level"] for entry in logs} == {"warning"}


async def test_an_error_without_words_is_named():
    with capture_logs() as logs:
        await until_open(Engine(TimeoutError()), log=structlog.get_logger())
    assert logs[0]["event"] == "waiting for postgres: TimeoutError"


async def test_a_mistake_in_the_set_up_is_raised_at_once():
    engine = Engine(ValueError("no such database"))
    with pytest.raises(ValueError, match="no such database"):
        await until_open(engine, log=structlog.get_logger())


@pytest.mark.parametrize("error", [BrokerUnavailable, CacheUnavailable, DatabaseUnavailable])
async def test_after_the_longest_wait_the_last_error_is_raised(error):
    engine = Engine(*[error("still down")] * 1000)
    with pytest.raises(error, match="still down"):
        await asyncio.wait_for(
            until_open(engine, log=structlog.get_logger(), max_wait=0.3), timeout=10
        )
