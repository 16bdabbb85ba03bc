"""Processes this stack has started, told apart from all others by process id and start time."""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from carillon_stack.launch import started_ticks


@dataclass(frozen=True)
class Started:
    """A process as it was noted when it started."""

    name: str
    pid: int
    ticks: int | None
    at: float
    stage: int = 0
    stop_signal: str = "TERM"
    grace: int = 30

    def lives(self) -> bool:
        """Tell whether this very process still runs: its id may have gone to another."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if self.ticks is not None:
                return started_ticks(self.pid) == self.ticks
            return abs(process.create_time() - self.at) < 5
        return False


def read(record: Path) -> Started | None:
    """Return the process noted in a record, or None if there is none."""
    try:
        return Started(name=record.stem, **json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def living(records: Iterable[Path]) -> list[Started]:
    """Return the noted processes that still run."""
    noted = (read(record) for record in records)
    return [process for process in noted if process is not None and process.lives()]


def end(processes: Iterable[Started]) -> None:
    """End processes in the stack's order: higher stages first, each politely, then by force."""
    remaining = list(processes)
    for stage in sorted({process.stage for process in remaining}, reverse=True):
        together = [process for process in remaining if process.stage == stage]
        for process in together:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.Signals[f"SIG{process.stop_signal}"])
        deadline = time.monotonic() + max(process.grace for process in together)
        while any(process.lives() for process in together) and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in together:
            if process.lives():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
