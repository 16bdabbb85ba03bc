"""A mail server that follows a script, for what no well-behaved one does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from email_service.mailbox import Mailbox
from email_service.smtp.account import SmtpAccount
from tests.carillon_stack.sandbox.conftest import (  # noqa: F401 - fixtures
    free_port,
    own_sandbox,
)

HANG_UP, SILENCE = "hang up", "silence"
USUAL = {
    "GREETING": "220 ready",
    "EHLO": "250-scripted\r\n250-SIZE 1000000\r\n250 AUTH PLAIN",
    "DATA": "354 go on",
    "BODY": "250 2.0.0 taken",
    "QUIT": "221 bye",
    "AUTH": "235 welcome",
}


@dataclass
class ScriptedServer:
    """`script` maps a command (or GREETING, BODY) to a reply, HANG_UP or SILENCE; `once`, once.

    With `pipelining` it takes several commands in one go.
    """

    pipelining: bool = False
    script: dict[str, str] = field(default_factory=dict)
    once: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    port: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self._writers.add(writer)
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_now -= 1
            self._writers.discard(writer)
            writer.transport.abort()

    def say_to_everyone(self, line: str) -> None:
        """Unasked, and goes."""
        for writer in self._writers:
            writer.write(line.encode() + b"\r\n")
            writer.close()

    def hang_up_on_everyone(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _converse(self, reader, writer) -> None:
        await self._reply(writer, "GREETING")
        while True:
            line = (await reader.readuntil(b"\r\n")).decode().rstrip()
            self.heard.append(line)
            verb = line.split()[0].upper()
            if not await self._reply(writer, verb) or verb == "QUIT":
                return
            if verb == "DATA" and self._said("DATA").startswith("354"):
                self.bodies.append(await reader.readuntil(b"\r\n.\r\n"))
                await self._reply(writer, "BODY")

    def _said(self, step: str) -> str:
        said = self.script.get(step) or USUAL.get(step) or "250 ok"
        if step == "EHLO" and self.pipelining and said.startswith("250"):
            return said.replace("\r\n", "\r\n250-PIPELINING\r\n", 1)
        if step == "DATA" and "DATA" not in self.script and self._refuses_before_data():
            return "503 5.5.1 nobody to send it to"
        return said

    def _refuses_before_data(self) -> bool:
        return any(self.script.get(step, "250").startswith(("4", "5")) for step in ("MAIL", "RCPT"))

    async def _reply(self, writer, step: str) -> bool:
        said = self.once.pop(step, None) or self._said(step)
        if said == HANG_UP:
            raise ConnectionResetError
        if said == SILENCE:
            await self.ended.wait()
            raise ConnectionResetError
        writer.write(said.encode() + b"\r\n")
        await writer.drain()
        return not said.startswith("421")


@pytest.fixture(params=["one at a time", "pipelining"])
async def server(request) -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(pipelining=request.param == "pipelining")
    listening = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = listening.sockets[0].getsockname()[1]
    yield scripted
    listening.close()
    scripted.ended.set()
    scripted.hang_up_on_everyone()


@pytest.fixture
def account_at() -> Callable[..., SmtpAccount]:
    def make(port: int, **changes) -> SmtpAccount:
        usual = {
            "host": "127.0.0.1",
            "own_name": "carillon.example",
            "tls": "none",
            "tls_context": None,
            "user": None,
            "password": SecretStr(""),
            "timeout": 5.0,
            "sender": Mailbox.parse("Carillon <hello@carillon.example>"),
        }
        return SmtpAccount(port=port, **{**usual, **changes})

    return make
