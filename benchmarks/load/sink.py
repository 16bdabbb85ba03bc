"""smtp-sink: takes every mail and forgets it, and counts aloud."""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.needs.programs import Command
from carillon_stack.errors import StackError

_POLL_SECONDS = 0.02
_PIPE_BYTES = 1024 * 1024
_COUNTED = re.compile(rb"mesg=(\d+)")
_RECIPIENT = re.compile(rb"^X-Rcpt-Args: <([^>]*)>", re.MULTILINE)
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Drain:
    """A number of mails, and the seconds from the first that came to the last."""

    mails: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.mails / self.seconds if self.seconds else 0.0


class Sink:
    """One smtp-sink on a port of loopback. It may be started again, also with files of its mails.

    How many came is read every 20 ms, which is how exact a moment of this class is.
    """

    def __init__(self, command: Command, port: int) -> None:
        self._command = command
        self.port = port
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._output = -1
        self._folder: Path | None = None
        self._seen: list[tuple[float, int]] = []

    @property
    def received(self) -> int:
        """How many mails it has taken since it started."""
        return self._seen[-1][1] if self._seen else 0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    async def start(self, *, keeping: bool = False) -> None:
        """Starts it; `keeping` writes each mail into a file in memory, for `moments`."""
        self._folder = _folder() if keeping else None
        self._output, theirs = os.pipe()
        # A full pipe would hold the sink up.
        fcntl.fcntl(theirs, getattr(fcntl, "F_SETPIPE_SZ", 1031), _PIPE_BYTES)
        os.set_blocking(self._output, False)
        unprivileged = ["-u", _UNPRIVILEGED] if os.geteuid() == 0 else []
        kept = ["-d", f"{self._folder}/mail."] if self._folder else []
        self._seen = []
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(str(self._command.binary), *unprivileged, *kept, "-c"),
                *(f"127.0.0.1:{self.port}", "1000"),
                env=dict(self._command.environment()),
                stdout=theirs,
                stderr=asyncio.subprocess.DEVNULL,
            )
        finally:
            os.close(theirs)
        self._reader = asyncio.create_task(self._read())
        await self._until_it_listens()

    async def stop(self) -> None:
        """Ends it and removes its files."""
        if self._reader:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()
            self._process = None
            os.close(self._output)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def until(self, received: int, *, seconds: float) -> bool:
        """Whether so many mails had come within this time."""
        deadline = time.monotonic() + seconds
        while self.received < received:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def drained(self, after: int) -> Drain:
        """The mails that came after the first `after`: from the first look that saw some."""
        later = [(at, mails) for at, mails in self._seen if mails > after]
        if len(later) < 2:
            return Drain(0, 0.0)
        (began, first), (ended, last) = later[0], later[-1]
        ended = next(at for at, mails in later if mails == last)
        return Drain(last - first, ended - began)

    def moments(self) -> dict[str, float]:
        """When the mail to each recipient was taken, in seconds of Unix time.

        It is the time of the file, which the system takes from the last tick of its clock: up to
        4 ms before the truth.
        """
        if self._folder is None:
            raise ValueError("the sink keeps no mails")
        taken = {}
        for entry in os.scandir(self._folder):
            with Path(entry.path).open("rb") as file:
                recipient = _RECIPIENT.search(file.read(1000))
            if recipient:
                taken[recipient[1].decode()] = entry.stat().st_mtime
        return taken

    async def _read(self) -> None:
        rest = b""
        while True:
            with contextlib.suppress(BlockingIOError):
                rest = (rest + os.read(self._output, _PIPE_BYTES))[-_PIPE_BYTES:]
            # A number is whole once something follows it.
            whole, _, tail = rest.rpartition(b"\r")
            if counted := _COUNTED.findall(whole):
                self._seen.append((time.monotonic(), int(counted[-1])))
                rest = tail
            await asyncio.sleep(_POLL_SECONDS)

    async def _until_it_listens(self) -> None:
        for attempt in count():
            if self._process is None or self._process.returncode is not None or attempt > 500:
                raise StackError(f"smtp-sink did not start on port {self.port}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            writer.close()
            return


def _folder() -> Path:
    """A folder in memory where there is one, for whoever smtp-sink runs as."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of its own in it
    folder = Path(
        tempfile.mkdtemp(prefix="carillon-sink-", dir=memory if memory.exists() else None)
    )
    if os.geteuid() == 0:
        shutil.chown(folder, _UNPRIVILEGED)
    return folder
