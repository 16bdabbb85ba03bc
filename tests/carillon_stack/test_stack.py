"""A stack under supervision: what a person sees of it while parts of it die."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from carillon_stack import figures, processes
from carillon_stack.control import Control
from carillon_stack.deadline import wait_until
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.plan import Wishes
from carillon_stack.ports import is_free
from carillon_stack.rolling import ready
from carillon_stack.stack import Stack
from tests.carillon_stack.conftest import ask, make_stack


def facts(stack: Stack) -> Facts:
    return Facts.load(stack.home)


def control(stack: Stack) -> Control:
    return Control(stack.supervisor, facts(stack), say=print)


def pids(stack: Stack, program: str) -> set[int]:
    states = stack.supervisor.states()
    return {state.pid for state in states if state.program == program and state.pid}


@contextmanager
def callers(url: str) -> Iterator[list[Exception]]:
    """Call a service without pause meanwhile; gives the calls that failed."""
    failures: list[Exception] = []
    calls = 0
    over = threading.Event()

    def call() -> None:
        nonlocal calls
        while not over.is_set():
            try:
                ask(url)
            except Exception as failure:  # noqa: BLE001 - whatever it was, the test shows it
                failures.append(failure)
            calls += 1

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield failures
    finally:
        over.set()
        thread.join()
    assert calls


def test_info_has_all_addresses_and_process_ids(stack: Stack):
    description = facts(stack).described(stack.supervisor.states())

    assert description["api_key"].startswith("ck_live_")
    assert len(description["services"]["api_gateway"]["pids"]) == 2
    assert description["engines"]["postgres"]["url"] == os.environ["POSTGRES_URL"]
    assert description["engines"]["rabbitmq"].keys() >= {"url", "management_url"}
    assert description["sandbox"]["smtp"].startswith("127.0.0.1:")
    gateway = ask(description["services"]["api_gateway"]["url"])
    assert gateway["pid"] in description["services"]["api_gateway"]["pids"]


def test_processes_behind_one_port_share_their_metrics(stack: Stack):
    services = facts(stack).services
    shared = ask(services["api_gateway"])["environment"]["PROMETHEUS_MULTIPROC_DIR"]

    assert Path(shared).is_dir()
    assert stack.home.path in Path(shared).parents
    assert "PROMETHEUS_MULTIPROC_DIR" not in ask(services["user_service"])["environment"]


def test_services_learn_settings_neighbours_and_their_own_database(stack: Stack):
    services = facts(stack).services

    environment = ask(services["user_service"])["environment"]

    assert environment["FLAVOUR"] == "vanilla"
    assert environment["API_GATEWAY_URL"] == services["api_gateway"]
    assert "BOOTSTRAP_ADMIN_KEY" not in environment
    assert "DATABASE_URL" not in ask(services["email_service"])["environment"]
    assert ask(services["api_gateway"])["environment"]["BOOTSTRAP_ADMIN_KEY"]


async def test_databases_exist_before_services_start(stack: Stack):
    url = ask(facts(stack).services["user_service"])["environment"]["DATABASE_URL"]

    connection = await asyncpg.connect(url)

    assert await connection.fetchval("SELECT current_database()") == url.rpartition("/")[2]
    await connection.close()


def test_workers_step_back_where_the_processor_is_short(stack: Stack):
    programs = ("api_gateway", "user_service", "email_service")
    nice = {
        program: {psutil.Process(pid).nice() for pid in pids(stack, program)}
        for program in programs
    }

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert nice == {"api_gateway": {own}, "user_service": {own}, "email_service": {own + 10}}


@pytest.mark.parametrize("program", ["user_service", "api_gateway"])
def test_a_rolling_restart_refuses_no_call(stack: Stack, program: str):
    before = pids(stack, program)

    with callers(facts(stack).services[program]) as failures:
        control(stack).restart(program)

    assert failures == []
    assert not before & pids(stack, program)


@pytest.mark.parametrize("program", ["email_service", "sandbox"])
def test_a_killed_process_comes_back(stack: Stack, program: str):
    (killed,) = pids(stack, program)

    os.kill(killed, signal.SIGKILL)

    assert wait_until(lambda: pids(stack, program) not in ({killed}, set()), seconds=15)
    (state,) = [s for s in stack.supervisor.states() if s.program == program]
    assert wait_until(lambda: ready(stack.supervisor, facts(stack), state), seconds=15)


def test_a_stopped_service_refuses_calls_until_it_is_started(stack: Stack):
    url = facts(stack).services["email_service"]

    control(stack).stop("email_service")
    with pytest.raises(ConnectionRefusedError):
        ask(url)
    assert not is_free(int(url.rpartition(":")[2]))  # another stack may be looking for one
    control(stack).start("email_service")

    assert ask(url)["pid"] in pids(stack, "email_service")


def test_all_stops_and_starts_everything_but_supervisord(stack: Stack):
    control(stack).stop("all")
    stopped = [state.pid for state in stack.supervisor.states()]
    control(stack).start("all")

    assert set(stopped) == {None}
    assert all(ready(stack.supervisor, facts(stack), s) for s in stack.supervisor.states())


def test_figures_count_each_process_once(stack: Stack):
    states = [stack.supervisor.itself(), *stack.supervisor.states()]

    rows = figures.measure(states, seconds=0.1)

    assert [row.name for row in rows] == [state.name for state in states]
    assert all(row.memory_bytes > 1_000_000 for row in rows)
    total = figures.described(rows)["total"]
    assert total["memory_bytes"] == sum(row.memory_bytes for row in rows)
    supervisord = rows[0]
    assert supervisord.memory_bytes < 100_000_000


def test_a_second_up_adopts_what_runs_and_starts_what_is_stopped(stack: Stack, said: list[str]):
    gateway = pids(stack, "api_gateway")
    control(stack).stop("user_service")

    stack.up(Wishes(scale={"api_gateway": 2}))

    assert pids(stack, "api_gateway") == gateway
    assert pids(stack, "user_service")
    assert any(line.startswith("Already running") for line in said)


def test_names_nobody_has_are_refused_with_those_that_exist(stack: Stack):
    with pytest.raises(StackError, match=r"There is no gateway. Known: api_gateway"):
        control(stack).stop("gateway")
    with pytest.raises(StackError, match="postgres is not run by this stack"):
        control(stack).restart("postgres")
    with pytest.raises(StackError, match="SERVICE=N"):
        stack.up(Wishes(scale={"gateway": 2}))


def test_without_supervisord_the_next_up_ends_what_was_left_and_starts_clean(tmp_path: Path):
    said: list[str] = []
    stack = make_stack(tmp_path, said)
    try:
        stack.up()
        orphans = stack.supervisor.leftovers()
        supervisord = stack.supervisor.itself().pid
        assert supervisord
        os.kill(supervisord, signal.SIGKILL)
        assert wait_until(lambda: not stack.supervisor.alive(), seconds=5)
        address = stack.home.ports()

        stack.up()

        assert not any(orphan.lives() for orphan in orphans)
        assert stack.home.ports() == address
        assert any("Ending what an interrupted stack left" in line for line in said)
    finally:
        stack.down()
    assert stack.supervisor.leftovers() == []


def test_down_ends_orphans_too_and_purge_forgets_everything(tmp_path: Path):
    stack = make_stack(tmp_path, [])
    stack.up()
    orphans: list[processes.Started] = stack.supervisor.leftovers()
    supervisord = stack.supervisor.itself().pid
    assert supervisord
    os.kill(supervisord, signal.SIGKILL)

    stack.down(purge=True)

    assert not any(orphan.lives() for orphan in orphans)
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_does_not_become_ready_is_named_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("carillon_stack.stack.SECONDS_TO_READY", 3.0)
    stack = make_stack(tmp_path, [])
    broken = stack._services[0].__class__("email_service", 8001, 300, None, "no_such_module")
    stack._services = (*stack._services[:2], broken)
    try:
        with pytest.raises(StackError, match=r"(?s)email_service.*No module named no_such_module"):
            stack.up()
    finally:
        stack.down()
