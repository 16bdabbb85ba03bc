"""An email's source, made readable."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import default
from typing import Any

_MESSAGE_ID = re.compile(
    rb"^message-id:[ \t]*(?:\r\n[ \t]+)?([^\r\n]+)", re.IGNORECASE | re.MULTILINE
)


def message_id(source: bytes) -> str | None:
    """The Message-ID, found without parsing the rest; None where there is none."""
    head = source.partition(b"\r\n\r\n")[0]
    found = _MESSAGE_ID.search(head)
    return found[1].strip().decode("latin-1") if found else None


def read_email(source: bytes) -> dict[str, Any]:
    """From, subject, both bodies and all headers of an email, decoded; never raises.

    A header that stands there several times is shown with its values one to a line.
    """
    parsed = message_from_bytes(source, policy=default)
    headers: dict[str, str] = {}
    for name, raw in parsed.raw_items():
        value = _header(name, raw)
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
    by_name = {name.casefold(): value for name, value in headers.items()}
    return {
        "from": by_name.get("from", ""),
        "subject": by_name.get("subject", ""),
        "text": _body(parsed, "plain"),
        "html": _body(parsed, "html"),
        "headers": headers,
        "message_id": by_name.get("message-id"),
    }


def _header(name: str, raw: str) -> str:
    try:
        value = str(default.header_fetch_parse(name, raw))
    except Exception:  # noqa: BLE001 - the parser raises all sorts of things on noise
        value = raw
    return _text(value.encode("utf-8", "surrogateescape"), "utf-8")


def _body(parsed: Any, kind: str) -> str | None:
    try:
        part = parsed.get_body((kind,))
        payload = None if part is None else part.get_payload(decode=True)
        charset = "utf-8" if part is None else part.get_content_charset("utf-8")
    except Exception:  # noqa: BLE001 - as above; what cannot be parsed is in the source
        return None
    return _text(payload, charset).replace("\r\n", "\n") if payload is not None else None


def _text(octets: bytes, charset: str) -> str:
    try:
        text = octets.decode(charset, "replace")
    except (LookupError, ValueError):
        text = octets.decode("latin-1")
    return text.encode("utf-8", "replace").decode()  # no lone surrogates, whatever the codec
