"""The HTTP server of a process that leaves without refusing anybody."""

import asyncio
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

_QUIET_SECONDS = 1.0
"""A connection on which nobody asked for so long is closed; the caller then opens another."""


class _State(ServerState):
    """What the connections of a server share."""

    is_leaving = False


class Connection(HttpToolsProtocol):
    """One caller's connection.

    uvicorn closes an idle one at once when the process ends, and a request that crosses with the
    goodbye is refused. Here whoever asks is answered, with `Connection: close`.
    """

    _is_asking = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._is_leaving:
            # It was accepted in the last moment.
            self.shutdown()

    def on_message_begin(self) -> None:
        self._is_asking = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._is_asking = False
        if self._is_leaving:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Sees the caller out: after the answer under way, or the next, or some quiet."""
        if self._is_answering:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(_QUIET_SECONDS, self._close_when_quiet)

    def _close_when_quiet(self) -> None:
        if self._is_asking or self._has_news():
            self.loop.call_later(_QUIET_SECONDS, self._close_when_quiet)
        elif not self._is_answering:
            self._hang_up()

    def _has_news(self) -> bool:
        """Whether something has arrived that the loop has not read yet."""
        if self.transport.is_closing():
            return False
        watch = select.poll()
        watch.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(watch.poll(0))

    def _hang_up(self) -> None:
        """Tells the caller at once; the transport would tell a turn of the loop later."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            connection.shutdown(socket.SHUT_RDWR)
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def _is_leaving(self) -> bool:
        return isinstance(self.server_state, _State) and self.server_state.is_leaving


class Server(uvicorn.Server):
    """uvicorn, except for how it ends.

    `leave` is called in the moment of the signal, in the loop.
    """

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self.server_state = _State()
        self._leave = leave
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._leave)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.server_state, _State)  # noqa: S101 - for the type checker
        self.server_state.is_leaving = True
        await super().shutdown(sockets)
