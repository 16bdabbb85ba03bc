"""An SMTP account: where it is, how to log in, how long to wait."""

import ssl
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

TlsMode = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """`timeout` in seconds, for each step of a conversation; `own_name` is what EHLO says."""

    host: str
    port: int
    own_name: str
    tls: TlsMode
    tls_context: ssl.SSLContext | None
    user: str | None
    password: SecretStr
    timeout: float

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"
