"""An email address with its two halves, ready for an envelope and for a header line."""

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Self

import idna

_LOCAL_PART = re.compile(r"[^\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\"(),:;<>@\[\]\\]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`local`@`domain`, and the name of whoever it belongs to; the domain is ASCII (IDNA)."""

    local: str
    domain: str
    name: str = ""

    @classmethod
    def of(cls, address: str, name: str = "") -> Self:
        """The mailbox at a bare address; raises ValueError for what cannot be one."""
        local, _, domain = address.rpartition("@")
        if not domain.isascii():
            try:
                domain = idna.encode(domain, uts46=True).decode("ascii")
            except idna.IDNAError as error:
                raise ValueError(f"{domain!r} is no domain: {error}") from error
        if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
            raise ValueError(f"{address!r} is no email address")
        return cls(local, domain, name)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `ada@example.com` or `Ada Lovelace <ada@example.com>`; raises ValueError."""
        if _CONTROL.search(text):
            raise ValueError("must not contain control characters or line breaks")
        name, address = parseaddr(text)
        if not address:
            raise ValueError("is neither an address nor Name <address>")
        return cls.of(address, name)

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 (RFC 6531) can take it."""
        return not self.local.isascii()
