"""A real sandbox process for the tests, started once for each test worker."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

REPOSITORY = Path(__file__).parents[3]
PROJECT = "carillon-test"
TWILIO_SID = "AC" + "0" * 32
TWILIO_TOKEN = "twilio-token"


def free_port() -> int:
    """A port below those that outgoing connections take, so that it stays free."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


@dataclass
class Sandbox:
    """A sandbox process and how to reach it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    inherited: tuple[int, ...] = ()
    http: httpx.Client = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> Path:
        return self.folder / "service-account.json"

    @property
    def certificate(self) -> Path:
        return self.folder / "data" / "smtp-certificate.pem"

    def start(self) -> None:
        if not self.credentials.exists():
            self.credentials.write_text(json.dumps(service_account(f"{self.url}/token")))
        environment = {
            **os.environ,
            "SANDBOX_PORT": str(self.port),
            "SANDBOX_SMTP_PORT": str(self.smtp_port),
            "SANDBOX_DATA": str(self.folder / "data"),
            "SANDBOX_FCM_CREDENTIALS": str(self.credentials),
            "SANDBOX_TWILIO_SID": TWILIO_SID,
            "SANDBOX_TWILIO_TOKEN": TWILIO_TOKEN,
            **self.settings,
        }
        command = [sys.executable, "-m", "carillon_stack.sandbox"]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, pass_fds=self.inherited
        )
        wait_until(self._ready)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(timeout=20)

    def close(self) -> None:
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.end()

    def get(self, path: str, **query: Any) -> Any:
        response = self.http.get(path, params=query)
        response.raise_for_status()
        return response.json()

    def faults(self, *faults: dict[str, Any]) -> None:
        self.http.put("/faults", json=list(faults)).raise_for_status()

    def reset(self) -> None:
        self.faults()
        self.http.delete("/messages").raise_for_status()

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the sandbox ended while starting"
        try:
            return self.http.get("/readyz").is_success
        except httpx.TransportError:
            return False


def service_account(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "test",
        "private_key": pem.decode(),
        "client_email": f"sender@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    sandbox.start()
    yield sandbox
    sandbox.close()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """The worker's sandbox, empty and without faults."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of the test's own, to be killed and started again."""
    sandbox = Sandbox(tmp_path)
    sandbox.start()
    yield sandbox
    sandbox.close()
