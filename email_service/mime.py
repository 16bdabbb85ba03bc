"""An email's source, put together line by line (RFC 5322, RFC 2045, RFC 2046).

The standard library's message classes take a third of a millisecond and more for each, several
times what sending takes, and fold headers such as List-Unsubscribe so that they no longer work.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp
from datetime import datetime
from email.utils import format_datetime
from secrets import token_hex

from email_service import headers
from email_service.content import EmailContent

_LINE_END = re.compile(r"\r\n|\r|\n")
_PLAIN = re.compile(r"(?:[\t\x20-\x7e]{0,990}\r\n)*[\t\x20-\x7e]{0,990}")


def message_id(content: EmailContent, key: str) -> str:
    """The same for every copy of one delivery, so that a repeat is recognised."""
    return f"<{key}@{content.sender.domain}>"


def assemble(content: EmailContent, mark: str, date: datetime) -> bytes:
    """The final bytes, with CRLF line ends; `mark` is its Message-ID."""
    head = [
        headers.mailbox("From", content.sender),
        headers.mailbox("To", content.recipient),
        headers.unstructured("Subject", content.subject),
        headers.structured("Date", format_datetime(date)),
        headers.structured("Message-ID", mark),
        *(headers.structured(name, value) for name, value in content.headers.items()),
        "MIME-Version: 1.0\r\n",
    ]
    text = _part("plain", content.text)
    body = text if content.html is None else _alternatives(text, _part("html", content.html))
    return "".join(head).encode() + body


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
    encoding, body = _encoded(_LINE_END.sub("\r\n", text))
    head = (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    )
    return head.encode() + b"\r\n" + body


def _encoded(text: str) -> tuple[str, bytes]:
    """Readable where it can be, else whichever encoding is shorter."""
    if _PLAIN.fullmatch(text):
        return "7bit", text.encode("ascii")
    source = text.encode("utf-8", "replace")
    readable = _crlf(b2a_qp(source))
    if len(readable) <= len(source) * 4 // 3:
        return "quoted-printable", readable
    return "base64", _crlf(encodebytes(source))


def _crlf(lines: bytes) -> bytes:
    return lines.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
