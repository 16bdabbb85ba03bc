"""Restart a program's processes one after the other, each ready before the next."""

import asyncio

from carillon_stack import readiness
from carillon_stack.deadline import wait_until
from carillon_stack.engines import choice
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.supervisor import ProcessState, Supervisor


def roll(supervisor: Supervisor, facts: Facts, program: str, *, seconds: float = 60) -> None:
    """Restart every process of a program in turn; raise StackError if one is not ready in time."""
    for process in [state for state in supervisor.states() if state.program == program]:
        supervisor.stop_process(process)
        supervisor.start_process(process)
        if not wait_until(lambda: ready(supervisor, facts, process), seconds=seconds):  # noqa: B023
            raise StackError(f"{process.name} is not ready {seconds:.0f} s after its restart.")


def ready(supervisor: Supervisor, facts: Facts, process: ProcessState) -> bool:
    """Tell whether one process of a program serves."""
    name = process.program
    if name in facts.engines:
        return _engine_answers(name, facts.engines[name].url)
    url = facts.sandbox_url if name == "sandbox" else facts.services.get(name)
    if url is None:
        return True
    now = next(state for state in supervisor.states() if state.name == process.name)
    port = int(url.rpartition(":")[2])
    return bool(now.pid and readiness.accepts(now.pid, port) and readiness.answers_ready(url))


def _engine_answers(name: str, url: str) -> bool:
    try:
        asyncio.run(_ping(name, url))
    except Exception:  # noqa: BLE001 - every client has its own errors
        return False
    return True


async def _ping(name: str, url: str) -> None:
    await choice.PINGS[name](url)
