"""Ports on loopback: the well-known one where it is free, else any, and the same next time."""

import random
import socket
from collections.abc import Mapping

# Below the range from which systems take ports for outgoing connections: a port
# from that range could be taken while the server behind it restarts.
ELSEWHERE = range(20_000, 30_000)


class Ports:
    """Gives each listener of a stack its port.

    ``held`` are ports that the stack's own running processes occupy: they are kept.
    """

    def __init__(self, remembered: Mapping[str, int], *, held: bool = False) -> None:
        self._remembered = dict(remembered)
        self._held = held
        self.given: dict[str, int] = {}

    def give(self, listener: str, preferred: int | None = None) -> int:
        """Return the port for a listener: last time's, the preferred one, or any free one."""
        if listener in self.given:
            return self.given[listener]
        last = self._remembered.get(listener)
        if last is not None and self._held:
            port = last
        else:
            wanted = [port for port in (last, preferred) if port is not None]
            anywhere = random.sample(ELSEWHERE, 200)
            port = next(p for p in (*wanted, *anywhere) if p not in self._taken() and is_free(p))
        self.given[listener] = port
        return port

    def _taken(self) -> set[int]:
        return set(self.given.values())


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
