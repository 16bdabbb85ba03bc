"""uvicorn with one more trick: an application may reset the connection it is answering on."""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from carillon_stack.sandbox.connection import reset
from carillon_stack.sandbox.reception import Dropped


class _TransportInScope(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class ResetWhenDropped:
    """ASGI middleware that turns `Dropped` into a reset connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (Dropped, asyncio.CancelledError):  # cancelled: still unanswered when told to stop
            reset(scope["state"]["transport"])
            while (await receive())["type"] != "http.disconnect":
                pass


async def serve(app: ASGIApp, host: str, port: int, inherited: int | None) -> None:
    """Serve until SIGINT or SIGTERM, on an inherited listening socket where one is given."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_TransportInScope,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    sockets = None if inherited is None else [socket.socket(fileno=inherited)]
    server = uvicorn.Server(config)
    await server.serve(sockets)
    if not server.started:
        sys.exit(1)
