"""One connection to a mail server, for one email at a time.

It tells apart what was handed over from what was not: up to the final dot a failure says nothing
about the email; after the dot, a missing reply leaves it unknown.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from typing import Self

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from email_service.smtp import replies
from email_service.smtp.account import SmtpAccount
from shared.errors import (
    ContentRejected,
    OutcomeUnknown,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    RecipientRejected,
)

_READY_FOR_DATA = 354
_GOODBYE_SECONDS = 2.0
_LAST_REPLY_PATIENCE = 2
"""A server that has the whole email may take its time: how many timeouts that is."""

_ABOUT_THE_EMAIL = (ProviderDeclined, RecipientRejected, ContentRejected)
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


class ConnectionLost(ProviderUnavailable):
    """The server hung up before the email was handed over."""


class WornOut(ConnectionLost):
    """The same on a connection that served before: servers end what was idle or went on long."""


class SmtpConnection:
    """An open, logged-in conversation. Times are seconds on the monotonic clock."""

    def __init__(self, client: SMTP, account: SmtpAccount) -> None:
        self._client = client
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
        return cls(client, account)

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    async def check(self, sender: str, *, utf8: bool) -> None:
        """Has the server take the sender of an email that is not sent; raises a ProviderError."""
        await self._announce(sender, 0, utf8=utf8)
        await self._command(replies.CONNECT, b"RSET")

    async def send(self, sender: str, recipient: str, source: bytes, *, utf8: bool) -> None:
        """Returns when the server has taken the email; raises a ProviderError.

        A server that only refuses the email leaves the connection fit for the next one; any
        other failure closes it.
        """
        self.emails += 1
        try:
            async with _with_patience(self._account):
                await self._introduce(sender, recipient, len(source), utf8=utf8)
            await self._hand_over(source)
        except _ABOUT_THE_EMAIL:
            await self._reset()
            raise
        except ConnectionLost as error:
            self._client.close()
            if self.emails > 1:
                raise WornOut(str(error), retry_after=error.retry_after) from error
            raise
        except BaseException:
            self._client.close()
            raise
        finally:
            self.used_at = time.monotonic()

    def drop(self) -> None:
        """Hangs up."""
        self._client.close()

    async def close(self) -> None:
        """Says goodbye, for a moment at most."""
        with contextlib.suppress(SMTPException, OSError):
            await self._client.quit(timeout=_GOODBYE_SECONDS)
        self._client.close()

    async def _introduce(self, sender: str, recipient: str, size: int, *, utf8: bool) -> None:
        await self._announce(sender, size, utf8=utf8)
        await self._command(replies.RECIPIENT, b"RCPT", f"TO:<{recipient}>".encode())
        await self._command(replies.DATA, b"DATA", wanted=_READY_FOR_DATA)

    async def _announce(self, sender: str, size: int, *, utf8: bool) -> None:
        options = self._options(size, utf8=utf8)
        await self._command(replies.SENDER, b"MAIL", f"FROM:<{sender}>".encode(), *options)

    def _options(self, size: int, *, utf8: bool) -> list[bytes]:
        options = [b"SIZE=%d" % size] if self._client.supports_extension("size") else []
        if utf8 and not self._client.supports_extension("smtputf8"):
            raise RecipientRejected("the mail server takes no addresses beyond ASCII")
        return [*options, b"BODY=8BITMIME", b"SMTPUTF8"] if utf8 else options

    async def _hand_over(self, source: bytes) -> None:
        protocol = self._client.protocol
        if protocol is None:
            raise ConnectionLost("the mail server hung up before the email was sent")
        end = b".\r\n" if source.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            protocol.write(_LEADING_DOT.sub(b"..", source) + end)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        try:
            reply = await protocol.read_response(self._account.timeout * _LAST_REPLY_PATIENCE)
        except TimeoutError as error:
            raise self._silence() from error
        except (SMTPException, OSError) as error:
            raise OutcomeUnknown(f"no reply to the whole email: {error}") from error
        if reply.code // 100 in (4, 5):
            raise self._refusal(replies.DATA, reply.code, reply.message)
        if reply.code // 100 != 2:
            raise OutcomeUnknown(f"an unreadable reply to the whole email: {reply}")

    def _silence(self) -> ProviderUnavailable | OutcomeUnknown:
        """The final dot is the last to leave: while bytes wait here, the server lacks it."""
        transport = self._client.transport
        waiting = getattr(transport, "get_write_buffer_size", int)()
        if waiting:
            return ProviderUnavailable(f"the mail server stopped reading, {waiting} bytes short")
        return OutcomeUnknown("the mail server has the whole email and does not reply")

    async def _command(self, step: str, *words: bytes, wanted: int | None = None) -> None:
        try:
            reply = await self._client.execute_command(*words)
        except SMTPResponseException as error:
            raise self._refusal(step, error.code, error.message) from error
        except TimeoutError as error:
            raise ProviderUnavailable(f"the mail server is silent at {step}") from error
        except OSError as error:
            raise ConnectionLost(f"the mail server hung up at {step}: {error}") from error
        if reply.code != wanted if wanted else reply.code // 100 != 2:
            failure = self._refusal(step, reply.code, reply.message)
            if reply.code == replies.GOING_AWAY:
                raise ConnectionLost(str(failure), retry_after=failure.retry_after)
            raise failure

    def _refusal(self, step: str, code: int, text: str) -> ProviderError:
        return replies.refusal(step, code, text, self._account.prefix)

    async def _reset(self) -> None:
        try:
            await self._command(replies.CONNECT, b"RSET")
        except ProviderUnavailable:
            self._client.close()


@contextlib.asynccontextmanager
async def _with_patience(account: SmtpAccount) -> AsyncIterator[None]:
    """Ends what takes longer than the account is waited for; raises ProviderUnavailable."""
    try:
        async with asyncio.timeout(account.patience) as patience:
            yield
    except TimeoutError as error:
        if not patience.expired():
            raise
        raise ProviderUnavailable(
            f"{account.place} did not take an email within {account.patience:g} s"
        ) from error


async def _greet(client: SMTP, account: SmtpAccount) -> None:
    step = replies.CONNECT
    try:
        async with _with_patience(account):
            await client.connect()
            await client.ehlo()
            if account.user is not None:
                step = replies.LOGIN
                await client.login(account.user, account.password.get_secret_value())
    except SMTPResponseException as error:
        raise replies.refusal(step, error.code, error.message, account.prefix) from error
    except OSError as error:
        raise ProviderUnavailable(f"no conversation with {account.place}: {error}") from error
    except SMTPException as error:
        raise ProviderMisconfigured(
            f"{account.place} does not do what is asked, "
            f"check {account.prefix}_TLS and {account.prefix}_USER: {error}"
        ) from error
