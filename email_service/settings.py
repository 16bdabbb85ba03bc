"""The email service's environment."""

import socket
import ssl
from pathlib import Path
from typing import ClassVar

from pydantic import Field, FilePath, SecretStr, field_validator

from email_service.mailbox import Mailbox
from email_service.smtp.account import SmtpAccount, TlsMode
from shared.delivery import DeliverySettings

_PORTS: dict[TlsMode, int] = {"none": 25, "starttls": 587, "tls": 465}


class EmailSettings(DeliverySettings):
    """Everything about the mail server; without SMTP_HOST and SMTP_FROM emails wait."""

    service_name: ClassVar[str] = "email_service"
    default_port: ClassVar[int] = 8001

    smtp_host: str | None = Field(default=None, description="Name or address of a mail server.")
    smtp_port: int | None = Field(
        default=None, ge=1, le=65535, description="By default 587 for starttls, 465 for tls, or 25."
    )
    smtp_user: str | None = None
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str | None = Field(
        default=None, description="ada@example.com or Ada Lovelace <ada@example.com>"
    )
    smtp_tls: TlsMode = Field(default="starttls", description="none, starttls or tls")
    smtp_ca_file: FilePath | None = Field(
        default=None, description="A PEM file to trust in place of the system's certificates."
    )
    smtp_connections: int | None = Field(
        default=None, ge=1, le=1500, description="By default as many as all lanes' slots."
    )
    smtp_timeout: float = Field(
        default=30.0, gt=0, le=600, description="Seconds for each step of a conversation."
    )

    @field_validator("smtp_from")
    @classmethod
    def _is_mailbox(cls, value: str | None) -> str | None:
        if value is not None:
            Mailbox.parse(value)
        return value

    @property
    def missing(self) -> list[str]:
        """The variables that must be set before an email can go out."""
        wanted = {"SMTP_HOST": self.smtp_host, "SMTP_FROM": self.smtp_from}
        return [name for name, value in wanted.items() if not value]

    @property
    def sender(self) -> Mailbox:
        return Mailbox.parse(self.smtp_from or "nobody@localhost")

    @property
    def account(self) -> SmtpAccount:
        own_name = socket.gethostname()
        return SmtpAccount(
            host=self.smtp_host or "localhost",
            port=self.smtp_port or _PORTS[self.smtp_tls],
            own_name=own_name if "." in own_name else self.sender.domain,
            tls=self.smtp_tls,
            tls_context=_trusting(self.smtp_ca_file) if self.smtp_tls != "none" else None,
            user=self.smtp_user,
            password=self.smtp_password,
            timeout=self.smtp_timeout,
        )


def _trusting(authorities: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities)
