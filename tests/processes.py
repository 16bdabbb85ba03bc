"""A service of the suite as a real process, for tests that want one."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
_RUNNING: list["ServiceProcess"] = []


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Return once the condition holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds:g} s"
        time.sleep(0.02)


def free_listener() -> socket.socket:
    """A listening socket below the ports that outgoing connections take."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", random.randint(20_000, 32_000)), backlog=512)
        except OSError:
            continue


class ServiceProcess:
    """`python -m <module>` on a port of its own; the address is known before it starts.

    It may be killed and started again, and keeps its address. Its output goes to `log`.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self._listener: socket.socket | None = free_listener()
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        handle, name = tempfile.mkstemp(prefix=f"{module}-", suffix=".log")
        os.close(handle)
        self.log = Path(name)
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: Mapping[str, str] = {}

    @property
    def pid(self) -> int:
        assert self._process, f"{self.module} was not started"
        return self._process.pid

    def start(self, environment: Mapping[str, str] | None = None, *, seconds: float = 60) -> None:
        """Start, as before if no environment is given; return when it is ready."""
        self.launch(environment)
        self.wait_ready(seconds=seconds)

    def launch(self, environment: Mapping[str, str] | None = None) -> None:
        """Start and return at once, so that several may start side by side."""
        self._environment = self._environment if environment is None else environment
        listener = self._listener or socket.create_server(("127.0.0.1", self.port), backlog=512)
        self._listener = None
        with listener, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    "NO_PROXY": "127.0.0.1,localhost",
                    **self._environment,
                    "LISTEN_FD": str(listener.fileno()),
                },
                pass_fds=[listener.fileno()],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if self not in _RUNNING:
            _RUNNING.append(self)

    def wait_ready(self, *, seconds: float = 60) -> None:
        """Return when `/readyz` answers 200; fail with its log when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        with httpx.Client(base_url=self.url, timeout=5, trust_env=False) as client:
            while True:
                assert self._process
                if self._process.poll() is not None:
                    pytest.fail(
                        f"{self.module} ended with {self._process.returncode}:\n{self.tail()}"
                    )
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                if time.monotonic() > deadline:
                    pytest.fail(f"{self.module} is not ready:\n{self.tail()}")
                time.sleep(0.05)

    def stop(self, *, seconds: float = 30) -> int:
        """End it with SIGTERM, by force if that takes too long; return its exit code."""
        assert self._process
        self._process.terminate()
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it with SIGKILL."""
        assert self._process
        self._process.kill()
        return self._process.wait(timeout=30)

    def freeze(self) -> None:
        """Stop it with SIGSTOP: it holds its connections and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def tail(self, lines: int = 40) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def close(self) -> None:
        """End it if it runs, and forget its log."""
        if self._listener:
            self._listener.close()
        if self._process and self._process.poll() is None:
            self.thaw()
            self.stop()
        if self in _RUNNING:
            _RUNNING.remove(self)
        self.log.unlink(missing_ok=True)


@contextmanager
def running(module: str, environment: Mapping[str, str]) -> Iterator[ServiceProcess]:
    """A service that is ready, ended afterwards."""
    process = ServiceProcess(module)
    try:
        process.start(environment)
        yield process
    finally:
        process.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show the logs with each failure: import this into a conftest.py."""
    report = yield
    if report.failed:
        shown = {title for title, _ in report.sections}
        for process in _RUNNING:
            title = f"Log of {process.module}"
            if title not in shown:
                report.sections.append((title, process.tail()))
    return report
