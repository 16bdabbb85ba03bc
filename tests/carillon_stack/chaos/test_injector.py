"""The hand that breaks and mends, on a stack of stand-ins whose engines belong to somebody else."""

import asyncio
import os
import time

import psutil
import pytest

from carillon_stack.chaos.injector import Injector
from carillon_stack.chaos.schedule import Fault, Kind
from carillon_stack.deadline import wait_until
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.stack import Stack


@pytest.fixture
def injector(stack: Stack) -> Injector:
    began = time.monotonic()
    return Injector(
        stack.supervisor,
        Facts.load(stack.home),
        clock=lambda: time.monotonic() - began,
        say=print,
    )


def process(stack: Stack, program: str) -> psutil.Process:
    (pid,) = [state.pid for state in stack.supervisor.states() if state.program == program]
    return psutil.Process(pid)


async def until_stopped(frozen: psutil.Process) -> None:
    def is_stopped() -> bool:
        return frozen.status() == psutil.STATUS_STOPPED

    assert await asyncio.to_thread(wait_until, is_stopped, seconds=20)


async def test_a_killed_process_is_noted_when_it_serves_again(stack: Stack, injector: Injector):
    before = process(stack, "email_service")
    await injector.run([Fault(0, 0, Kind.KILL, "email_service")])
    (occurrence,) = injector.occurrences
    assert not before.is_running()
    assert process(stack, "email_service").pid != before.pid
    assert occurrence.back is not None
    assert occurrence.back > occurrence.ended


async def test_one_of_several_processes_is_killed(stack: Stack, injector: Injector):
    def pids() -> set[int | None]:
        states = stack.supervisor.states()
        return {state.pid for state in states if state.program == "api_gateway"}

    before = pids()
    await injector.run([Fault(0, 0, Kind.KILL, "api_gateway", seed=7)])
    assert len(before & pids()) == 1


async def test_what_is_frozen_goes_on_afterwards(stack: Stack, injector: Injector):
    frozen = process(stack, "user_service")
    running = asyncio.create_task(injector.run([Fault(0, 0.5, Kind.FREEZE, "user_service")]))
    await until_stopped(frozen)
    await running
    assert frozen.status() != psutil.STATUS_STOPPED
    assert injector.occurrences[0].back is not None


async def test_an_interrupted_run_leaves_nothing_frozen(stack: Stack, injector: Injector):
    frozen = process(stack, "user_service")
    running = asyncio.create_task(injector.run([Fault(0, 600, Kind.FREEZE, "user_service")]))
    await until_stopped(frozen)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert frozen.status() != psutil.STATUS_STOPPED


@pytest.mark.parametrize("kind", [Kind.KILL, Kind.STOP, Kind.FREEZE])
async def test_engines_of_others_are_not_touched(injector: Injector, kind: Kind):
    assert os.environ["POSTGRES_URL"]
    with pytest.raises(StackError, match="postgres is not run by this stack"):
        await injector.run([Fault(0, 0.1, kind, "postgres")])
