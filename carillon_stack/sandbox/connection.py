"""Ending a connection the way a crashed process does."""

from __future__ import annotations

import asyncio
import socket
import struct

_LINGER_FOR_NO_TIME = struct.pack("ii", 1, 0)


def reset(transport: asyncio.WriteTransport) -> None:
    """Cut a connection at once: the other side sees a reset, not an orderly end."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_FOR_NO_TIME)
    transport.abort()
