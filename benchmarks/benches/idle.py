"""idle: what the whole stack takes while nothing happens."""

import asyncio

from benchmarks.ground import Ground
from benchmarks.journal import Journal
from benchmarks.results import Sample
from benchmarks.size import Size
from carillon_stack import figures

_MEBIBYTE = 1024 * 1024


async def measure(ground: Ground, size: Size, journal: Journal) -> None:
    """Memory (PSS) and CPU of each program, and of all together."""
    supervisor = ground.stack.supervisor
    for number in range(1, size.rounds + 1):
        await ground.empty()
        states = [supervisor.itself(), *supervisor.states()]
        rows = await asyncio.to_thread(figures.measure, states, seconds=size.idle_seconds)
        for name in dict.fromkeys(row.program for row in rows):
            journal.add(_sample(name, number, [row for row in rows if row.program == name]))
        journal.add(_sample("all together", number, rows))


def _sample(name: str, number: int, rows: list[figures.Figures]) -> Sample:
    taken = {
        "memory_mib": sum(row.memory_bytes for row in rows) / _MEBIBYTE,
        "cpu_percent": sum(row.cpu_percent for row in rows),
    }
    return Sample("idle", "nothing happens", name, number, taken)
