"""The SMTP server: one listening port, a session for each connection."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from starlette.routing import BaseRoute

from carillon_stack.sandbox.connection import reset
from carillon_stack.sandbox.messages import Channel
from carillon_stack.sandbox.reception import Dropped, Reception
from carillon_stack.sandbox.smtp.login import Login
from carillon_stack.sandbox.smtp.session import MAX_SIZE, SmtpSession


class SmtpEmulator:
    """A mail server on a port of its own; mail to any address ends in the store."""

    channel: Channel = "email"

    def __init__(
        self, reception: Reception, host: str, port: int, tls: ssl.SSLContext, login: Login | None
    ) -> None:
        self._reception = reception
        self._address = (host, port)
        self._tls = tls
        self._login = login
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[object]] = set()

    def routes(self) -> Sequence[BaseRoute]:
        return []

    async def open(self) -> None:
        host, port = self._address
        self._server = await asyncio.start_server(
            self._serve, host, port, limit=MAX_SIZE, backlog=1024
        )

    async def close(self) -> None:
        """Stop listening and end every conversation; what was acknowledged is on disk."""
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        if session is not None:
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)
        try:
            await SmtpSession(reader, writer, self._reception, self._tls, self._login).run()
            writer.close()
        except Dropped:
            reset(writer.transport)
        except OSError:
            writer.close()  # the client is gone in the middle of a reply
        finally:
            if not writer.is_closing():
                writer.transport.abort()
