"""An email's source, put together line by line (RFC 5322, RFC 2045, RFC 2046).

The standard library's message classes take a millisecond and more for each, many times what all
else about sending takes, and fold headers such as List-Unsubscribe so that they no longer work.
Tests hold this against what they write.
"""

from binascii import b2a_base64, b2a_qp
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from secrets import token_hex

from email_service import headers
from email_service.content import EmailContent

_LONGEST_LINE = 998
_BASE64_LINE = 76
_READABLE = bytes([*b"\t\n", *range(0x20, 0x7F)])
_KEPT = _READABLE.replace(b"=", b"")
"""What quoted-printable leaves as it is."""


def message_id(content: EmailContent, key: str) -> str:
    """The same for every copy of one delivery, so that a repeat is recognised."""
    return f"<{key}@{content.sender.domain}>"


def assemble(content: EmailContent, mark: str, date: datetime) -> bytes:
    """The final bytes, with CRLF line ends; `mark` is its Message-ID."""
    head = [
        headers.mailbox("From", content.sender),
        headers.mailbox("To", content.recipient),
        headers.unstructured("Subject", content.subject),
        _date(date.replace(microsecond=0)),
        headers.structured("Message-ID", mark),
        *(headers.structured(name, value) for name, value in content.headers.items()),
        "MIME-Version: 1.0\r\n",
    ]
    text = _part("plain", content.text)
    body = text if content.html is None else _alternatives(text, _part("html", content.html))
    return "".join(head).encode() + body


@lru_cache(maxsize=2)
def _date(second: datetime) -> str:
    """One line for all emails of a second."""
    return headers.structured("Date", format_datetime(second))


def _alternatives(*parts: bytes) -> bytes:
    """The best last, as readers expect. Nobody who writes a body can guess the boundary."""
    boundary = token_hex(16).encode()
    opening = b"--" + boundary + b"\r\n"
    return b"".join(
        [
            b'Content-Type: multipart/alternative; boundary="' + boundary + b'"\r\n\r\n',
            *(opening + part + b"\r\n" for part in parts),
            b"--" + boundary + b"--\r\n",
        ]
    )


def _part(subtype: str, text: str) -> bytes:
    encoding, body = _encoded(text)
    head = (
        f"Content-Type: text/{subtype}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + body


def _encoded(text: str) -> tuple[str, bytes]:
    """Readable where it can be, else whichever encoding is shorter."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    source = text.encode("utf-8", "replace")
    if not source.translate(None, _READABLE) and _is_short(source):
        return "7bit", _crlf(source)
    # Three bytes for each byte that is not kept, against four for every three.
    escaped = len(source.translate(None, _KEPT))
    if escaped * 6 <= len(source):
        return "quoted-printable", _crlf(b2a_qp(source))
    return "base64", _base64(_crlf(source))


def _is_short(source: bytes) -> bool:
    return max(map(len, source.split(b"\n"))) <= _LONGEST_LINE


def _base64(source: bytes) -> bytes:
    digits = b2a_base64(source, newline=False)
    starts = range(0, len(digits), _BASE64_LINE)
    return b"\r\n".join([digits[start : start + _BASE64_LINE] for start in starts]) + b"\r\n"


def _crlf(lines: bytes) -> bytes:
    return lines.replace(b"\n", b"\r\n")
