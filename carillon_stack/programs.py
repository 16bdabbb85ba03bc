"""What supervisord runs, as values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path


class Stage(IntEnum):
    """When a program starts and stops: lower stages start first and stop last."""

    ENGINES = 100
    SANDBOX = 200
    DIRECTORIES = 250
    WORKERS = 300
    DOOR = 400


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program, in one or more processes.

    ``environment`` is all that its processes see. A program with a ``port`` gets a listening
    socket, shared by its processes and open across their restarts, as file descriptor 0.
    ``after_port``: a start waits until somebody listens there. Durations are in seconds.
    ``niceness``: how far it steps back when the processor is short; see nice(2).
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    stage: Stage
    port: int | None = None
    processes: int = 1
    user: str | None = None
    after_port: int | None = None
    stop_signal: str = "TERM"
    grace: int = 30
    niceness: int = 0

    def specification(self) -> str:
        """Return what `launch` needs to become this program, as JSON."""
        return json.dumps(
            {
                "command": self.command,
                "environment": dict(self.environment),
                "directory": str(self.directory),
                "stage": int(self.stage),
                "user": self.user,
                "after_port": self.after_port,
                "stop_signal": self.stop_signal,
                "grace": self.grace,
                "niceness": self.niceness,
            },
            indent=1,
            sort_keys=True,
        )
