"""A really running gateway: `python -m api_gateway` in a process of its own."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import httpx

ADMIN_KEY = "ck_live_admin-of-the-tests-0123456789"
NOWHERE = "http://127.0.0.1:9"

_PATIENCE_SECONDS = 30


class Gateway:
    """One process; its address stays the same over a restart."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; requests wait in the socket until it serves."""
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "api_gateway"],
            env=os.environ
            | {
                "INTERNAL_SERVICE_TOKEN": "test-internal-token-0123456789",
                "BOOTSTRAP_ADMIN_KEY": ADMIN_KEY,
                "TEMPLATE_SERVICE_URL": NOWHERE,
                "USER_SERVICE_URL": NOWHERE,
                "GRACE_SECONDS": "5",
                "LISTEN_FD": str(self._listener.fileno()),
            }
            | self._environment,
            pass_fds=[self._listener.fileno()],
            stdout=self._log,
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=_PATIENCE_SECONDS)

    def close(self) -> None:
        self.stop()
        self._listener.close()
        self._log.close()

    def log(self) -> str:
        """What it wrote so far."""
        return os.pread(self._log.fileno(), 10_000_000, 0).decode()

    def client(self, key: str | None = ADMIN_KEY, **options: Any) -> httpx.AsyncClient:
        """A client that shows `key`."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=60, limits=limits, **options
        )


@contextmanager
def running(environment: dict[str, str]) -> Iterator[Gateway]:
    """A gateway that answers, ended afterwards."""
    gateway = Gateway(environment)
    gateway.start()
    try:
        answer = httpx.get(f"{gateway.url}/livez", timeout=_PATIENCE_SECONDS)
        assert answer.status_code == 200, gateway.log()
        yield gateway
    finally:
        gateway.close()


def request(**changes: Any) -> dict[str, Any]:
    """A good request."""
    return {"user_id": 1, "channel": "email", "template_id": "bells", **changes}
