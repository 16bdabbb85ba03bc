"""The email service's environment."""

import socket
import ssl
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator

from email_service.mailbox import Mailbox
from email_service.smtp.account import SmtpAccount, TlsMode
from shared.delivery import DeliverySettings, SendRate

Value = TypeVar("Value")

_PORTS: dict[TlsMode, int] = {"none": 25, "starttls": 587, "tls": 465}
_PATIENCE_SECONDS = 5.0
"""How long an account is waited for while another stands behind it."""


class EmailSettings(DeliverySettings):
    """The mail servers: the first, and the one behind it; without the first emails wait."""

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
    smtp_fallback_host: str | None = Field(
        default=None, description="A second server, for while the first cannot be used."
    )
    smtp_fallback_port: int | None = Field(
        default=None, ge=1, le=65535, description="By default as SMTP_PORT, by SMTP_FALLBACK_TLS."
    )
    smtp_fallback_user: str | None = None
    smtp_fallback_password: SecretStr = SecretStr("")
    smtp_fallback_from: str | None = Field(default=None, description="By default SMTP_FROM.")
    smtp_fallback_tls: TlsMode = Field(default="starttls", description="none, starttls or tls")
    smtp_rate_per_second: SendRate | None = Field(
        default=None, description="Emails a second of all workers together, such as 14."
    )
    smtp_fallback_rate_per_second: SendRate | None = Field(
        default=None, description="The same, at the second server."
    )
    smtp_ca_file: FilePath | None = Field(
        default=None, description="A PEM file to trust in place of the system's certificates."
    )
    smtp_connections: int | None = Field(
        default=None, ge=1, le=1500, description="By default as many as all lanes' slots."
    )
    smtp_timeout: float = Field(
        default=30.0, gt=0, le=600, description="Seconds for each step of a conversation."
    )

    @field_validator("smtp_fallback_host")
    @classmethod
    def _stands_behind_another(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not info.data.get("smtp_host"):
            raise ValueError("the first server is missing, set SMTP_HOST")
        return value

    @field_validator(
        "smtp_fallback_port",
        "smtp_fallback_user",
        "smtp_fallback_password",
        "smtp_fallback_from",
        "smtp_fallback_tls",
        "smtp_fallback_rate_per_second",
    )
    @classmethod
    def _has_a_server(cls, value: Value, info: ValidationInfo) -> Value:
        is_set = value != cls.model_fields[str(info.field_name)].default
        if is_set and info.data.get("smtp_fallback_host", "") is None:
            raise ValueError("belongs to a second server, set SMTP_FALLBACK_HOST")
        return value

    @field_validator("smtp_from", "smtp_fallback_from")
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
    def accounts(self) -> list[SmtpAccount]:
        """The first, and the fallback where there is one; none while something is missing."""
        if self.missing or not self.smtp_host:
            return []
        if not self.smtp_fallback_host:
            return [self._account("smtp", self.smtp_host)]
        return [
            self._account("smtp", self.smtp_host, patience=_PATIENCE_SECONDS),
            self._account("smtp_fallback", self.smtp_fallback_host),
        ]

    @property
    def rates(self) -> dict[str, float | None]:
        """By account, the most emails a second."""
        return {
            "smtp": self.smtp_rate_per_second,
            "smtp-fallback": self.smtp_fallback_rate_per_second,
        }

    def _account(self, prefix: str, host: str, patience: float | None = None) -> SmtpAccount:
        own_name = socket.gethostname()
        own = ("port", "user", "password", "from", "tls")
        port, user, password, sender, tls = (getattr(self, f"{prefix}_{name}") for name in own)
        return SmtpAccount(
            name=prefix.replace("_", "-"),
            prefix=prefix.upper(),
            host=host,
            port=port or _PORTS[tls],
            own_name=own_name if "." in own_name else self.sender.domain,
            tls=tls,
            tls_context=_trusting(self.smtp_ca_file) if tls != "none" else None,
            user=user,
            password=password,
            timeout=self.smtp_timeout,
            sender=Mailbox.parse(sender) if sender else self.sender,
            patience=patience,
        )


def _trusting(authorities: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities)
