"""One SMTP conversation, from greeting to goodbye.

RFC 5321 with PIPELINING, SIZE, 8BITMIME, SMTPUTF8 (RFC 6531), ENHANCEDSTATUSCODES, STARTTLS
(RFC 3207) and AUTH PLAIN and LOGIN (RFC 4954).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable

from carillon_stack.sandbox.email import message_id
from carillon_stack.sandbox.faults import Fault, FaultKind
from carillon_stack.sandbox.messages import Message
from carillon_stack.sandbox.reception import Reception, Refused
from carillon_stack.sandbox.smtp.login import Login, ask_login

MAX_SIZE = 26_214_400
"""Bytes of the largest email taken, 25 MiB as at the large mailbox providers."""
MAX_RECIPIENTS = 100
IDLE_SECONDS = 300.0

REFUSALS = {
    FaultKind.REJECT_PERMANENT: "550 5.7.1 Message refused by policy (made on purpose)",
    FaultKind.REJECT_TRANSIENT: "451 4.3.0 Temporary failure, try again (made on purpose)",
    FaultKind.THROTTLE: "450 4.7.1 Too many messages for this recipient, try again in {wait} s",
    FaultKind.UNAVAILABLE: "421 4.3.2 Service not available, try again in {wait} s",
}
NO_SUCH_MAILBOX = "dead-"
"""Addresses that begin so do not exist here, as FCM tokens that do."""

_MAIL_FROM = re.compile(r"FROM:\s*<([^<>]*)>((?: \S+)*)\s*$", re.IGNORECASE)
_RCPT_TO = re.compile(r"TO:\s*<([^<>\s]+@[^<>\s]+)>(?: \S+)*\s*$", re.IGNORECASE)


class _Goodbye(Exception):
    """The reply is given; the connection is to be closed."""


class SmtpSession:
    """The server's side of one connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        reception: Reception,
        tls: ssl.SSLContext,
        login: Login | None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._reception = reception
        self._tls = tls
        self._login = login
        self._secure = False
        self._logged_in = False
        self._forget_greeting()
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "VRFY": self._vrfy,
        }

    async def run(self) -> None:
        """Talk until one side has enough. Raises Dropped where the connection is to be reset."""
        self._reception.answer("email")
        await self._reply("220 sandbox.localhost ESMTP Carillon sandbox")
        try:
            while True:
                line = await self._line()
                self._reception.answer("email")
                verb, _, rest = line.partition(" ")
                await self._commands.get(verb.upper(), self._unknown)(rest)
        except TimeoutError:
            await self._reply("421 4.4.2 Idle for too long, closing")
        except asyncio.LimitOverrunError:
            await self._reply("552 5.3.4 Message too big")
        except UnicodeDecodeError:
            await self._reply("500 5.5.2 Commands are UTF-8, closing")
        except (_Goodbye, asyncio.IncompleteReadError, OSError):
            return

    async def _line(self) -> str:
        async with asyncio.timeout(IDLE_SECONDS):
            line = await self._reader.readuntil(b"\n")
        return line.decode().rstrip("\r\n")

    async def _reply(self, *lines: str) -> None:
        *first, last = lines
        text = "".join(f"{line[:3]}-{line[4:]}\r\n" for line in first) + f"{last}\r\n"
        self._writer.write(text.encode())
        await self._writer.drain()

    def _forget_greeting(self) -> None:
        self._greeted = False
        self._forget_message()

    def _forget_message(self) -> None:
        self._sender: str | None = None
        self._utf8 = False
        self._recipients: dict[str, Fault | None] = {}

    async def _ehlo(self, _: str) -> None:
        self._forget_greeting()
        self._greeted = True
        starttls = [] if self._secure else ["250 STARTTLS"]
        await self._reply(
            "250 sandbox.localhost",
            "250 PIPELINING",
            f"250 SIZE {MAX_SIZE}",
            *starttls,
            "250 AUTH PLAIN LOGIN",
            "250 8BITMIME",
            "250 SMTPUTF8",
            "250 ENHANCEDSTATUSCODES",
        )

    async def _helo(self, _: str) -> None:
        self._forget_greeting()
        self._greeted = True
        await self._reply("250 sandbox.localhost")

    async def _starttls(self, _: str) -> None:
        if self._secure:
            await self._reply("503 5.5.1 Already under TLS")
            return
        await self._reply("220 2.0.0 Ready to start TLS")
        try:
            await self._writer.start_tls(self._tls)
        except (ssl.SSLError, OSError) as error:
            raise _Goodbye from error
        self._secure = True
        self._logged_in = False
        self._forget_greeting()

    async def _auth(self, rest: str) -> None:
        try:
            login = await ask_login(rest, self._ask)
        except ValueError:
            await self._reply("501 5.5.2 Cannot read these credentials")
            return
        if login is None:
            await self._reply("504 5.5.4 PLAIN and LOGIN are offered")
        elif self._login not in (None, login):
            self._reception.reject("email")
            await self._reply("535 5.7.8 Wrong user or password")
        else:
            self._logged_in = True
            await self._reply("235 2.7.0 Welcome")

    async def _ask(self, prompt: str) -> str:
        await self._reply(f"334 {prompt}")
        return await self._line()

    async def _mail(self, rest: str) -> None:
        matched = _MAIL_FROM.match(rest)
        if not self._greeted or self._sender is not None:
            await self._reply("503 5.5.1 Say EHLO first, and one MAIL for each message")
        elif self._login is not None and not self._logged_in:
            await self._reply("530 5.7.0 Log in first")
        elif matched is None:
            await self._reply("501 5.5.4 Expected MAIL FROM:<address>")
        else:
            parameters = dict(p.partition("=")[::2] for p in matched[2].upper().split())
            size = parameters.get("SIZE", "0")
            if size.isdecimal() and int(size) > MAX_SIZE:
                await self._reply("552 5.3.4 Message too big")
                return
            self._sender = matched[1]
            self._utf8 = "SMTPUTF8" in parameters
            await self._reply("250 2.1.0 Ok")

    async def _rcpt(self, rest: str) -> None:
        matched = _RCPT_TO.match(rest)
        if self._sender is None:
            await self._reply("503 5.5.1 MAIL first")
        elif matched is None:
            await self._reply("501 5.1.3 Expected RCPT TO:<address>")
        elif len(self._recipients) >= MAX_RECIPIENTS:
            await self._reply("452 4.5.3 Too many recipients")
        else:
            await self._reply(await self._admit(matched[1]))

    async def _admit(self, recipient: str) -> str:
        if not recipient.isascii() and not self._utf8:
            self._reception.reject("email")
            return "553 5.6.7 This address needs SMTPUTF8"
        if recipient.startswith(NO_SUCH_MAILBOX):
            self._reception.reject("email")
            return "550 5.1.1 No such mailbox here"
        try:
            fault = await self._reception.admit("email", recipient)
        except Refused as refused:
            reply = REFUSALS[refused.kind].format(wait=refused.retry_after)
            if reply.startswith("421"):
                await self._reply(reply)
                raise _Goodbye from refused
            return reply
        self._recipients[recipient] = fault
        return "250 2.1.5 Ok"

    async def _data(self, _: str) -> None:
        if not self._recipients:
            await self._reply("503 5.5.1 RCPT first")
            return
        await self._reply("354 End with a dot on a line of its own")
        source = await self._source()
        await self._reply(await self._keep(source))
        self._forget_message()

    async def _source(self) -> bytes:
        stuffed = bytearray()
        async with asyncio.timeout(IDLE_SECONDS):
            while stuffed != b".\r\n" and not stuffed.endswith(b"\r\n.\r\n"):
                stuffed += await self._reader.readuntil(b".\r\n")
                if len(stuffed) > MAX_SIZE:
                    await self._reply("552 5.3.4 Message too big")
                    raise _Goodbye
        return (
            bytes(stuffed[1:] if stuffed.startswith(b".") else stuffed)
            .replace(b"\r\n..", b"\r\n.")
            .removesuffix(b".\r\n")
        )

    async def _keep(self, source: bytes) -> str:
        content = {"envelope_from": self._sender, "raw": source.decode("latin-1")}
        mark = message_id(source)
        queued_as = ""
        try:
            for recipient, fault in self._recipients.items():
                message = Message("email", recipient, content, mark)
                await self._reception.keep(message, fault)
                queued_as = message.id
        except OSError as error:
            return f"452 4.3.1 Cannot write to disk: {error.strerror}"
        return f"250 2.0.0 Ok: queued as {queued_as}"

    async def _rset(self, _: str) -> None:
        self._forget_message()
        await self._reply("250 2.0.0 Ok")

    async def _noop(self, _: str) -> None:
        await self._reply("250 2.0.0 Ok")

    async def _vrfy(self, _: str) -> None:
        await self._reply("252 2.5.0 Send and see")

    async def _quit(self, _: str) -> None:
        await self._reply("221 2.0.0 Goodbye")
        raise _Goodbye

    async def _unknown(self, _: str) -> None:
        await self._reply("500 5.5.2 Unknown command")
