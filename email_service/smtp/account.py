"""An SMTP account: where it is, how to log in, how long to wait."""

import ssl
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from email_service.mailbox import Mailbox

TlsMode = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """`timeout` in seconds, for each step of a conversation; `own_name` is what EHLO says.

    `patience` in seconds, for opening a conversation as a whole, and for what comes before an
    email is handed over: less where another account can take it.
    `name` is the account's in receipts, logs and metrics; its variables begin with `prefix`.
    """

    host: str
    port: int
    own_name: str
    tls: TlsMode
    tls_context: ssl.SSLContext | None
    user: str | None
    password: SecretStr
    timeout: float
    sender: Mailbox
    patience: float | None = None
    name: str = "smtp"
    prefix: str = "SMTP"

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"
