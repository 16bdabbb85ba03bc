"""XML-RPC over a Unix socket, as supervisord speaks it."""

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any


def call(path: Path, method: str, *arguments: Any) -> Any:
    """Call a method; raise OSError if nobody answers, xmlrpc.client.Fault if it is refused."""
    with xmlrpc.client.ServerProxy("http://carillon", transport=_UnixTransport(path)) as proxy:
        return getattr(proxy, method)(*arguments)


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = host, connection  # what `close` closes
        return connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("carillon", timeout=120)
        self._path = path

    def connect(self) -> None:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.settimeout(self.timeout)
            connected.connect(str(self._path))
        except OSError:
            connected.close()
            raise
        self.sock = connected
