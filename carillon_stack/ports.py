"""Ports on loopback: the well-known one where it is free, else last time's, else any."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Below the range from which systems take ports for outgoing connections: a port
# from that range could be taken while the server behind it restarts.
ELSEWHERE = range(20_000, 30_000)


class Ports:
    """Gives each listener of a stack its port.

    ``held`` are ports that the stack's own running processes occupy: they are kept. Until
    ``release``, no other stack that starts at the same moment is given the same port.
    """

    def __init__(self, remembered: Mapping[str, int], *, held: bool = False) -> None:
        self._remembered = dict(remembered)
        self._held = held
        self._reservations: list[int] = []
        self.given: dict[str, int] = {}

    def give(self, listener: str, preferred: int | None = None) -> int:
        """Return the port for a listener: the preferred one, last time's, or any free one."""
        if listener in self.given:
            return self.given[listener]
        last = self._remembered.get(listener)
        if last is not None and self._held:
            port = last
        else:
            wanted = [port for port in (preferred, last) if port is not None]
            anywhere = random.sample(ELSEWHERE, 200)
            port = next(p for p in (*wanted, *anywhere) if self._may_have(p))
        self.given[listener] = port
        return port

    def release(self) -> None:
        """End the reservations: by now the listeners hold their ports themselves."""
        while self._reservations:
            os.close(self._reservations.pop())

    def _may_have(self, port: int) -> bool:
        return port not in self.given.values() and self._reserve(port) and is_free(port)

    def _reserve(self, port: int) -> bool:
        folder = Path(tempfile.gettempdir()) / f"carillon-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._reservations.append(descriptor)
        return True


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this port of any local address."""
    for address in ("127.0.0.1", ""):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
                probe.listen(1)
            except OSError:
                return False
    return True
