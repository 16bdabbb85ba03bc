"""SMTP: any mail server that takes submissions (RFC 5321, RFC 6409)."""

from dataclasses import replace
from datetime import UTC, datetime

import structlog

from email_service.content import EmailContent
from email_service.mime import assemble, message_id
from email_service.smtp.account import SmtpAccount
from email_service.smtp.connection import WornOut
from email_service.smtp.connections import SmtpConnections
from shared.delivery.provider import Receipt

log = structlog.get_logger()


class SmtpProvider:
    """One account at one mail server."""

    def __init__(self, account: SmtpAccount, *, connections: int) -> None:
        self.name = account.name
        self._account = account
        self._connections = SmtpConnections(account, connections)

    async def open(self) -> None:
        if self._account.user is not None and self._account.tls == "none":
            advice = f"set {self._account.prefix}_TLS to starttls or tls"
            log.warning("the SMTP password travels unencrypted", advice=advice)
        await self._connections.open()

    async def close(self) -> None:
        await self._connections.close()

    async def probe(self) -> None:
        """Connects anew, logs in and has the sender taken."""
        sender = self._account.sender
        connection = await self._connections.borrow(fresh=True)
        try:
            await connection.check(sender.address, utf8=sender.needs_utf8)
        finally:
            self._connections.give_back(connection)

    async def send(self, content: EmailContent, *, key: str) -> Receipt:
        mark = message_id(content, key)
        content = replace(content, sender=self._account.sender)
        source = assemble(content, mark, datetime.now(UTC))
        try:
            await self._transmit(content, source)
        except WornOut:
            # Nothing was handed over: a new connection tells whether the server is there.
            await self._transmit(content, source, fresh=True)
        return Receipt(self.name, mark)

    async def _transmit(self, content: EmailContent, source: bytes, *, fresh: bool = False) -> None:
        sender, recipient = content.sender, content.recipient
        utf8 = sender.needs_utf8 or recipient.needs_utf8
        connection = await self._connections.borrow(fresh=fresh)
        try:
            await connection.send(sender.address, recipient.address, source, utf8=utf8)
        finally:
            self._connections.give_back(connection)
