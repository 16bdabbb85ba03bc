"""Memory and CPU of a stack, process by process."""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from carillon_stack.supervisor import ProcessState


@dataclass(frozen=True)
class Figures:
    """One row: a supervised process together with its children.

    Memory is the proportional set size where the system tells it, else the resident set size.
    """

    program: str
    name: str
    state: str
    pid: int | None
    uptime_seconds: float
    memory_bytes: int
    cpu_percent: float


def measure(states: Sequence[ProcessState], *, seconds: float) -> list[Figures]:
    """Return figures for each process; CPU as percent of one core over the given time."""
    others = {state.pid for state in states if state.pid}
    before = {state.name: cpu_seconds(family(state.pid, others)) for state in states}
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began

    def figures(state: ProcessState) -> Figures:
        spent = max(0.0, cpu_seconds(family(state.pid, others)) - before[state.name])
        return Figures(
            program=state.program,
            name=state.name,
            state=state.state,
            pid=state.pid,
            uptime_seconds=round(time.time() - state.since, 1) if state.pid else 0.0,
            memory_bytes=sum(_memory(process) for process in family(state.pid, others)),
            cpu_percent=round(100 * spent / passed, 2),
        )

    return [figures(state) for state in states]


def described(rows: Sequence[Figures]) -> dict[str, Any]:
    """Return the figures and their sums."""
    return {
        "processes": [asdict(row) for row in rows],
        "total": {
            "memory_bytes": sum(row.memory_bytes for row in rows),
            "cpu_percent": round(sum(row.cpu_percent for row in rows), 2),
        },
    }


def family(pid: int | None, others: Collection[int]) -> list[psutil.Process]:
    """Return a process and its children, without the processes that have rows of their own."""
    if not pid:
        return []
    family = []
    with suppress(psutil.Error):
        waiting = [psutil.Process(pid)]
        while waiting:
            process = waiting.pop()
            family.append(process)
            waiting += [child for child in process.children() if child.pid not in others]
    return family


def _memory(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    return 0


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the time that processes and their children, living and gone, have computed."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total
