"""The jail: untrusted templates are compiled and filled in a process that may be killed."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.rendering import (
    ContentTooLarge,
    MissingVariable,
    RenderFailed,
    RenderingError,
    TemplateSyntaxProblem,
)

_ROOT = Path(__file__).resolve().parent.parent
_LONGEST_LINE = 32 * 1024 * 1024
_PROBLEMS: dict[str, type[RenderingError]] = {
    problem.__name__: problem
    for problem in (ContentTooLarge, MissingVariable, RenderFailed, TemplateSyntaxProblem)
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a template that may be saved takes from its variables."""

    used_variables: frozenset[str]
    header_variables: frozenset[str]


class _Unanswered(Exception):
    """The process died, or was killed, before it answered."""


class Jail:
    """Checks and previews templates outside this process.

    Processes start when first needed, stay warm, and end after `idle_seconds` without work. Each
    is bounded in memory and processor time, and killed after `timeout` seconds on one request.
    """

    def __init__(
        self, *, processes: int = 2, timeout: float = 3.0, idle_seconds: float = 30.0
    ) -> None:
        self._places = asyncio.Semaphore(processes)
        self._timeout = timeout
        self._idle_seconds = idle_seconds
        self._idle: list[Process] = []
        self._retirement: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()

    async def check(self, fields: Mapping[str, str]) -> Checked:
        """Compile and try a template; raises what compiling and filling it would raise."""
        try:
            checked = (await self._ask(fields, None))["checked"]
        except _Unanswered:
            reason = "it takes too much time or memory to check"
            raise TemplateSyntaxProblem(_first(fields), 1, reason) from None
        return Checked(**{name: frozenset(values) for name, values in checked.items()})

    async def render(
        self, fields: Mapping[str, str], variables: Mapping[str, object]
    ) -> dict[str, str]:
        """Compile and fill a template; `variables` are what JSON knows."""
        try:
            filled: dict[str, str] = (await self._ask(fields, variables))["filled"]
        except _Unanswered:
            reason = "it takes too much time or memory"
            raise RenderFailed(_first(fields), reason) from None
        return filled

    async def close(self) -> None:
        """End every process that waits for work."""
        self._retire()
        await asyncio.gather(*self._endings)

    async def _ask(
        self, fields: Mapping[str, str], variables: Mapping[str, object] | None
    ) -> dict[str, Any]:
        wanted = None if variables is None else dict(variables)
        line = json.dumps({"fields": dict(fields), "variables": wanted}).encode() + b"\n"
        async with self._places:
            answer = await self._answer(line)
        if "problem" in answer:
            raise _PROBLEMS[answer["problem"]](*answer["details"])
        return answer

    async def _answer(self, line: bytes) -> dict[str, Any]:
        process = self._waiting() or await _started()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await _exchange(process, line)
        except BaseException as failure:
            # Also when the caller gave up: what it asked may still be running inside.
            self._end(process)
            if isinstance(failure, TimeoutError | OSError | EOFError):
                raise _Unanswered from failure
            raise
        self._idle.append(process)
        self._put_off_retirement()
        return answer

    def _waiting(self) -> Process | None:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return None

    def _put_off_retirement(self) -> None:
        if self._retirement is not None:
            self._retirement.cancel()
        loop = asyncio.get_running_loop()
        self._retirement = loop.call_later(self._idle_seconds, self._retire)

    def _retire(self) -> None:
        if self._retirement is not None:
            self._retirement.cancel()
        while self._idle:
            self._end(self._idle.pop())

    def _end(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.kill()
        ending = asyncio.create_task(_gone(process))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


async def _started() -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "template_service.inmate"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LONGEST_LINE,
        # The service's own settings hold passwords: none of them goes inside.
        env={"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )


async def _exchange(process: Process, line: bytes) -> dict[str, Any]:
    requests, answers = process.stdin, process.stdout
    if requests is None or answers is None:
        raise EOFError
    requests.write(line)
    await requests.drain()
    answered = await answers.readline()
    if not answered.endswith(b"\n"):
        raise EOFError
    answer: dict[str, Any] = json.loads(answered)
    return answer


async def _gone(process: Process) -> None:
    """Wait until the process has ended and its pipes are closed."""
    await process.communicate()


def _first(fields: Mapping[str, str]) -> str:
    return next(iter(fields), "template")
