"""Private engines: real ones, from nothing, killed and brought back."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import asyncpg
import psutil
import pytest
import redis.asyncio

from carillon_stack.deadline import wait_until
from carillon_stack.engines import choice, install, postgres
from carillon_stack.engines.choice import Engines
from carillon_stack.engines.running import running_engines
from carillon_stack.errors import StackError
from carillon_stack.home import Home
from carillon_stack.ports import Ports
from carillon_stack.supervisor import Supervisor

NOTHING_GIVEN = {"PATH": os.environ["PATH"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def engines(home: Home) -> Iterator[Engines]:
    with running_engines(home, caller=NOTHING_GIVEN, say=print) as engines:
        yield engines
    assert Supervisor(home).leftovers() == []
    shutil.rmtree(postgres.outside(home), ignore_errors=True)


def kill(home: Home, program: str) -> None:
    """Kill an engine and return when another process has taken its place."""
    supervisor = Supervisor(home)

    def pid() -> int | None:
        return next(state.pid for state in supervisor.states() if state.program == program)

    killed = pid()
    assert killed
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: pid() not in (None, killed), seconds=15)


async def test_postgres_keeps_what_it_committed_when_killed(home: Home, engines: Engines):
    connection = await asyncpg.connect(engines.postgres.url)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (line text)")
    await connection.execute("INSERT INTO kept VALUES ('committed')")
    kill(home, "postgres")
    connection.terminate()

    await choice.until_ready(engines.postgres, seconds=30)

    connection = await asyncpg.connect(engines.postgres.url)
    assert await connection.fetchval("SELECT line FROM kept LIMIT 1") == "committed"
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await connection.fetchval(f"SHOW {setting}") == "on"
    await connection.close()


async def test_rabbitmq_keeps_what_it_confirmed_when_killed(home: Home, engines: Engines):
    connection = await aio_pika.connect(engines.rabbitmq.url)
    channel = await connection.channel()
    arguments = {"x-queue-type": "quorum"}
    queue = await channel.declare_queue("kept", durable=True, arguments=arguments)
    await queue.purge()
    message = aio_pika.Message(b"confirmed", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, "kept")
    await connection.close()
    # RabbitMQ writes down a new queue's place about half a second after declaring it.
    (places,) = home.path.glob("rabbitmq/data/*/quorum/*/names.dets")
    assert wait_until(lambda: b"_kept" in places.read_bytes(), seconds=10)
    kill(home, "rabbitmq")

    await choice.until_ready(engines.rabbitmq, seconds=30)

    async with await aio_pika.connect(engines.rabbitmq.url) as connection:
        queue = await (await connection.channel()).get_queue("kept")
        received = await queue.get(timeout=10)
        assert received is not None
        assert received.body == b"confirmed"
        await received.ack()


async def test_redis_comes_back_and_evicts_nothing(home: Home, engines: Engines):
    kill(home, "redis")

    await choice.until_ready(engines.redis, seconds=15)

    async with redis.asyncio.from_url(engines.redis.url, decode_responses=True) as client:
        settings = await client.config_get("append*", "maxmemory-policy")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"


def test_engines_listen_on_loopback_only(home: Home, engines: Engines):
    programs = [psutil.Process(process.pid) for process in Supervisor(home).leftovers()]
    listening = [
        connection.laddr.ip
        for program in programs
        for connection in program.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert len(listening) >= 5
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_postgres_never_runs_as_root(home: Home, engines: Engines):
    (postgres,) = [p for p in Supervisor(home).leftovers() if p.name == "postgres_0"]

    assert psutil.Process(postgres.pid).username() != "root"


def test_given_engines_are_used_and_never_run(tmp_path: Path):
    given = {name: f"scheme://somewhere/{name}" for name in choice.VARIABLES.values()}

    engines = choice.choose(Home(tmp_path), Ports({}), given, print)

    assert engines.environment() == given
    assert engines.programs() == []


def test_an_engine_that_cannot_be_installed_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(install, "is_here", lambda engine: engine == "postgres")
    monkeypatch.setattr(install.debian, "can_install", lambda: False)
    monkeypatch.setattr(install.platform, "system", lambda: "Linux")

    with pytest.raises(StackError) as refusal:
        install.ensure(list(choice.VARIABLES), Home(tmp_path), print)

    message = str(refusal.value)
    assert "Missing: RabbitMQ, Redis" in message
    assert "sudo apt-get install rabbitmq-server redis-server" in message
    assert "RABBITMQ_URL, REDIS_URL" in message
    assert "docker compose" in message


async def test_an_engine_that_never_answers_is_named_with_the_reason():
    given = choice.Given("redis", "redis://127.0.0.1:1/0", choice.PINGS["redis"])

    with pytest.raises(StackError, match=r"redis does not answer after 0 s.*Connect"):
        await choice.until_ready(given, seconds=0.3)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's data goes outside the home")
def test_a_home_made_anew_does_not_meet_the_data_of_the_old_one(tmp_path: Path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    old = postgres.data_folder(Home(private / "home"), "postgres")
    assert postgres.data_folder(Home(private / "home"), "postgres") == old
    shutil.rmtree(private / "home")

    new = postgres.data_folder(Home(private / "home"), "postgres")

    assert new != old
    for data in (old, new):
        shutil.rmtree(data.parents[1])
