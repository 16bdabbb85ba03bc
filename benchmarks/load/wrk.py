"""wrk: as many requests as a number of connections carry, each sent when the last was answered."""

import asyncio
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.needs.programs import Command
from carillon_stack.errors import StackError

SCRIPT = Path(__file__).with_name("requests.lua")
LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Fired:
    """What came of a load. `failed` counts refusals (4xx, 5xx) and broken connections."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True)
class Requests:
    """What is asked, over and over: lines of method, path and body."""

    lines: tuple[str, ...]
    api_key: str = "none"

    @classmethod
    def posts(cls, path: str, bodies: Iterable[str], api_key: str = "none") -> "Requests":
        return cls(tuple(f"POST {path} {body}" for body in bodies), api_key)

    @classmethod
    def gets(cls, paths: Iterable[str], api_key: str) -> "Requests":
        return cls(tuple(f"GET {path}" for path in paths), api_key)


class Wrk:
    """The load generator; one thread of it is enough for more than we can take."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._runs = 0

    async def fire(
        self,
        url: str,
        requests: Requests,
        *,
        connections: int,
        seconds: float | None = None,
        stop_after: int | None = None,
        keyed: bool = False,
    ) -> Fired:
        """Fires for some seconds, or until so many answers have come (and a few more)."""
        self._runs += 1
        options = {"key": requests.api_key}
        if keyed:
            options["replays"] = f"bench-{self._runs}-"
        if stop_after is not None:
            options["stop"] = str(stop_after)
        duration = LONGEST_SECONDS if seconds is None else max(1, round(seconds))
        with tempfile.NamedTemporaryFile("w", prefix="carillon-bench-") as file:
            file.writelines(f"{line}\n" for line in requests.lines)
            file.flush()
            options["file"] = file.name
            said = await self._run(
                *("-t1", f"-c{connections}", f"-d{duration}s", "--timeout", "10s"),
                *("-s", str(SCRIPT), url, "--"),
                *(f"{name}={value}" for name, value in options.items()),
            )
        return Fired(
            requests=said["requests"],
            seconds=said["microseconds"] / 1e6,
            p50_ms=said["p50"] / 1e3,
            p99_ms=said["p99"] / 1e3,
            failed=said["refused"] + said["broken"],
        )

    async def _run(self, *arguments: str) -> dict[str, int]:
        process = await asyncio.create_subprocess_exec(
            str(self._command.binary),
            *arguments,
            env=dict(self._command.environment()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output = (await process.communicate())[0].decode(errors="replace")
        except BaseException:
            process.kill()
            await process.wait()
            raise
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if process.returncode != 0 or not lines:
            raise StackError(f"wrk failed:\n{output.strip()}")
        return dict(json.loads(lines[-1]))
