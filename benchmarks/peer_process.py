"""A peer as a process of its own: started, found listening where it serves, ended."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from carillon_stack.errors import StackError
from carillon_stack.home import REPOSITORY
from carillon_stack.ports import Ports

_PATIENCE_SECONDS, _GRACE_SECONDS = 60, 10


@dataclass(frozen=True)
class PeerProcess:
    """A running peer; `url` leads to it where it serves."""

    name: str
    pid: int
    url: str
    process: asyncio.subprocess.Process

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        return await self.process.wait()


@asynccontextmanager
async def serving(
    module: str, environment: Mapping[str, str], logs: Path
) -> AsyncIterator[PeerProcess]:
    """`python -m <module>` that answers on a port of its own."""
    ports = Ports({})
    port = ports.give(module)
    address = {"HOST": "127.0.0.1", "PORT": str(port)}
    async with working(("-m", module), {**environment, **address}, logs, port=port) as peer:
        ports.release()
        yield peer


@asynccontextmanager
async def working(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    logs: Path,
    *,
    port: int | None = None,
) -> AsyncIterator[PeerProcess]:
    """`python <arguments>`, in a process group that is ended afterwards."""
    name = arguments[1].rpartition(".")[2]
    log = logs / f"peer-{name}.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", *arguments),
            cwd=REPOSITORY,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        if port is not None and not await _until_it_listens(process, port):
            raise StackError(f"{name} did not start; see {log}")
        yield PeerProcess(name, process.pid, f"http://127.0.0.1:{port}", process)
    finally:
        await _end(process)


async def _until_it_listens(process: asyncio.subprocess.Process, port: int) -> bool:
    """Whether it does: it may end, or take too long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return True
    return False


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await process.wait()
    # Its children may outlive it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
