"""One connection to a mail server, for one email at a time.

It tells apart what was handed over from what was not: up to the final dot a failure says nothing
about the email; after the dot, a missing reply leaves it unknown.
"""

import asyncio
import time
from collections.abc import Awaitable, Collection
from dataclasses import dataclass
from typing import Self, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from email_service.smtp import replies
from email_service.smtp.account import SmtpAccount
from email_service.smtp.conversation import Conversation, Reply
from shared.errors import (
    ContentRejected,
    OutcomeUnknown,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    RecipientRejected,
)

_GO_ON = 354
_GOODBYE_SECONDS = 2.0
_LAST_REPLY_PATIENCE = 2
"""A server that has the whole email may take its time: how many timeouts that is."""

_ABOUT_THE_EMAIL = (ProviderDeclined, RecipientRejected, ContentRejected)


class ConnectionLost(ProviderUnavailable):
    """The server hung up before the email was handed over."""


class WornOut(ConnectionLost):
    """The same on a connection that served before: servers end what was idle or went on long."""


class SmtpConnection:
    """An open, logged-in conversation. Times are seconds on the monotonic clock."""

    def __init__(
        self, conversation: Conversation, extensions: Collection[str], account: SmtpAccount
    ) -> None:
        self._conversation = conversation
        self._extensions = extensions
        self._account = account
        self.opened_at = self.used_at = time.monotonic()
        self.emails = 0

    @classmethod
    async def open(cls, account: SmtpAccount) -> Self:
        """Connects, secures, logs in; raises ProviderUnavailable or ProviderMisconfigured."""
        client = SMTP(
            hostname=account.host,
            port=account.port,
            local_hostname=account.own_name,
            timeout=account.timeout,
            use_tls=account.tls == "tls",
            start_tls=account.tls == "starttls",
            tls_context=account.tls_context,
        )
        try:
            await _greet(client, account)
        except BaseException:
            client.close()
            raise
        if client.transport is None:
            raise ConnectionLost("the mail server hung up after the greeting")
        transport = cast("asyncio.Transport", client.transport)
        return cls(Conversation(transport), set(client.esmtp_extensions), account)

    @property
    def is_open(self) -> bool:
        return self._conversation.is_open

    async def check(self, sender: str, *, utf8: bool) -> None:
        """Has the server take the sender of an email that is not sent; raises a ProviderError."""
        await self._command(self._announcement(sender, 0, utf8=utf8))
        await self._command(_RESET)

    async def send(self, sender: str, recipient: str, source: bytes, *, utf8: bool) -> None:
        """Returns when the server has taken the email; raises a ProviderError.

        A server that only refuses the email leaves the connection fit for the next one; any
        other failure closes it.
        """
        self.emails += 1
        try:
            introduction = self._introduce(sender, recipient, len(source), utf8=utf8)
            await _patiently(self._account, introduction)
            await self._hand_over(source)
        except _ABOUT_THE_EMAIL:
            await self._reset()
            raise
        except ConnectionLost as error:
            self.drop()
            if self.emails > 1:
                raise WornOut(str(error), retry_after=error.retry_after) from error
            raise
        except BaseException:
            self.drop()
            raise
        finally:
            self.used_at = time.monotonic()

    def drop(self) -> None:
        """Hangs up."""
        self._conversation.hang_up()

    async def close(self) -> None:
        """Says goodbye, for a moment at most."""
        await self._conversation.exchange(b"QUIT\r\n", 1, _GOODBYE_SECONDS)
        self.drop()

    async def _introduce(self, sender: str, recipient: str, size: int, *, utf8: bool) -> None:
        """All in one go where the server allows it: a round trip instead of three."""
        commands = [
            self._announcement(sender, size, utf8=utf8),
            _Command(replies.RECIPIENT, f"RCPT TO:<{recipient}>".encode()),
            _READY,
        ]
        if "pipelining" in self._extensions:
            await self._command(*commands)
        else:
            for command in commands:
                await self._command(command)

    def _announcement(self, sender: str, size: int, *, utf8: bool) -> "_Command":
        if utf8 and "smtputf8" not in self._extensions:
            raise RecipientRejected("the mail server takes no addresses beyond ASCII")
        line = f"MAIL FROM:<{sender}>"
        if "size" in self._extensions:
            line += f" SIZE={size}"
        if utf8:
            line += " BODY=8BITMIME SMTPUTF8"
        return _Command(replies.SENDER, line.encode())

    async def _hand_over(self, source: bytes) -> None:
        end = b".\r\n" if source.endswith(b"\r\n") else b"\r\n.\r\n"
        written = _with_dots_doubled(source) + end
        patience = self._account.timeout * _LAST_REPLY_PATIENCE
        if not self.is_open:
            raise ConnectionLost("the mail server hung up before the email was sent")
        answers, failure = await self._conversation.exchange(written, 1, patience)
        if isinstance(failure, TimeoutError):
            raise self._silence()
        if failure is not None:
            raise OutcomeUnknown(f"no reply to the whole email: {failure}") from failure
        reply = answers[0]
        if reply.code // 100 in (4, 5):
            raise self._refusal(replies.DATA, reply)
        if reply.code // 100 != 2:
            raise OutcomeUnknown(f"an unreadable reply to the whole email: {reply.text}")

    def _silence(self) -> ProviderUnavailable | OutcomeUnknown:
        """The final dot is the last to leave: while bytes wait here, the server lacks it."""
        if waiting := self._conversation.unsent_bytes:
            return ProviderUnavailable(f"the mail server stopped reading, {waiting} bytes short")
        return OutcomeUnknown("the mail server has the whole email and does not reply")

    async def _command(self, *commands: "_Command") -> None:
        """Returns when the server agrees to all; else raises what its first refusal means."""
        written = b"".join(command.line + b"\r\n" for command in commands)
        answers, failure = await self._conversation.exchange(
            written, len(commands), self._account.timeout
        )
        for command, reply in zip(commands, answers, strict=False):
            if not command.is_granted_by(reply):
                if failure is not None or answers[-1].code == _GO_ON:
                    # It owes a reply, or waits for an email that it has just refused to take.
                    self.drop()
                raise self._refused(command, reply)
        if failure is None:
            return
        step = commands[len(answers)].step
        if isinstance(failure, TimeoutError):
            raise ProviderUnavailable(f"the mail server is silent at {step}") from failure
        raise ConnectionLost(f"the mail server hung up at {step}: {failure}") from failure

    def _refused(self, command: "_Command", reply: Reply) -> ProviderError:
        failure = self._refusal(command.step, reply)
        if reply.code == replies.GOING_AWAY:
            return ConnectionLost(str(failure), retry_after=failure.retry_after)
        return failure

    def _refusal(self, step: str, reply: Reply) -> ProviderError:
        return replies.refusal(step, reply.code, reply.text, self._account.prefix)

    async def _reset(self) -> None:
        if self.is_open:
            try:
                await self._command(_RESET)
            except ProviderUnavailable:
                self.drop()


@dataclass(frozen=True, slots=True)
class _Command:
    """A line of the conversation, without its end."""

    step: str
    line: bytes
    wanted: int | None = None

    def is_granted_by(self, reply: Reply) -> bool:
        return reply.code == self.wanted if self.wanted else reply.code // 100 == 2


_READY = _Command(replies.DATA, b"DATA", wanted=_GO_ON)
_RESET = _Command(replies.CONNECT, b"RSET")


async def _patiently(account: SmtpAccount, work: Awaitable[None]) -> None:
    """Ends what takes longer than the account is waited for; raises ProviderUnavailable."""
    if account.patience is None:
        await work
        return
    try:
        async with asyncio.timeout(account.patience) as patience:
            await work
    except TimeoutError as error:
        if not patience.expired():
            raise
        raise ProviderUnavailable(
            f"{account.place} did not take an email within {account.patience:g} s"
        ) from error


async def _greet(client: SMTP, account: SmtpAccount) -> None:
    step = replies.CONNECT

    async def converse() -> None:
        nonlocal step
        await client.connect()
        await client.ehlo()
        if account.user is not None:
            step = replies.LOGIN
            await client.login(account.user, account.password.get_secret_value())

    try:
        await _patiently(account, converse())
    except SMTPResponseException as error:
        raise replies.refusal(step, error.code, error.message, account.prefix) from error
    except OSError as error:
        raise ProviderUnavailable(f"no conversation with {account.place}: {error}") from error
    except SMTPException as error:
        raise ProviderMisconfigured(
            f"{account.place} does not do what is asked, "
            f"check {account.prefix}_TLS and {account.prefix}_USER: {error}"
        ) from error


def _with_dots_doubled(source: bytes) -> bytes:
    """No line of an email may pass for its end (RFC 5321, 4.5.2)."""
    doubled = source.replace(b"\n.", b"\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled
