"""A private Redis that tests may kill, stop and start again."""

import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

_DEADLINE_SECONDS = 15
_START_TRIES = 5


class RedisServer:
    """One redis-server with AOF, in a folder of its own, at one port for its whole life."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = None
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("needs the redis-server binary, to kill and stop it")
        for _ in range(_START_TRIES):
            port = self.port or _free_port()
            command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", self.folder]
            command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
            log = (self.folder / "redis.log").open("ab")
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
            log.close()
            if self._is_up(port):
                self.port = port
                return
            self.kill()
        raise AssertionError(f"redis-server does not start: {self.folder / 'redis.log'}")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self):
        self.kill()
        self.start()

    def stop_answering(self):
        self.process.send_signal(signal.SIGSTOP)

    def answer_again(self):
        self.process.send_signal(signal.SIGCONT)

    def _is_up(self, port):
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
                    probe.sendall(b"INFO server\r\nPING\r\n")
                    answer = probe.recv(16384)
            except OSError:
                answer = b""
            # Another's Redis at this port is not ours, and one that still loads its AOF is not up.
            is_ours = f"process_id:{self.process.pid}\r\n".encode() in answer
            if is_ours and answer.endswith(b"+PONG\r\n"):
                return True
            time.sleep(0.01)
        return False


def _free_port():
    """A port below those that the system gives to outgoing connections: it stays ours."""
    while True:
        port = random.randrange(12000, 31000)
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
