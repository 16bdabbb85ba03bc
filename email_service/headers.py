"""Header lines: folded, and encoded where they are not plain ASCII (RFC 5322, RFC 2047)."""

import re
from base64 import b64encode
from collections.abc import Iterator

from email_service.mailbox import Mailbox

_NAME = re.compile(r"[A-Za-z0-9-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_QUOTED = re.compile(r'(["\\])')

_LINE = 76
"""What RFC 2047 allows a line with an encoded word; RFC 5322 has two more for the others."""

_TEXT = 66
"""Characters of plain text on a line, beside a header's name."""
_FOLD = re.compile(rf"(?=.{{{_TEXT + 1}}})(.{{1,{_TEXT}}}) (?=\S)")

_ENCODED_WORD_BYTES = 39
"""Bytes of text in one encoded word: a line with a word in it is 76 characters at most."""


def structured(name: str, value: str) -> str:
    """A line whose value is passed on as it is: it has its own syntax, and encoding breaks it.

    Raises ValueError for a name or value that would break out of the line, or is not ASCII.
    """
    if not value.isascii():
        raise ValueError(f"a value beyond ASCII in {name!r}")
    return _start(name, value) + value + "\r\n"


def unstructured(name: str, text: str) -> str:
    """A line of text for people, such as a subject; raises ValueError as `structured` does."""
    return _start(name, text) + _words(text) + "\r\n"


def mailbox(name: str, owner: Mailbox) -> str:
    """A line with one address, in front of it the owner's name where there is one.

    An address beyond ASCII stays as it is (RFC 6532). Raises ValueError for control characters.
    """
    address = owner.address
    start = _start(name, owner.name + address)
    if not owner.name:
        return f"{start}{address}\r\n"
    line = start + _phrase(owner.name)
    taken = len(line) - line.rfind("\n") - 1
    gap = " " if taken + len(f" <{address}>") <= _LINE else "\r\n "
    return f"{line}{gap}<{address}>\r\n"


def _start(name: str, value: str) -> str:
    """The line up to its value, once it is sure that neither can break out of it."""
    # What is printable holds no control character, and is found out much sooner.
    if not _NAME.fullmatch(name) or (not value.isprintable() and _CONTROL.search(value)):
        raise ValueError(f"not a header: {name!r}")
    return f"{name}: "


def _words(text: str) -> str:
    if text.isascii() and text == text.strip() and "=?" not in text:
        folded = text if len(text) <= _TEXT else _FOLD.sub("\\1\r\n ", text)
        if max(map(len, folded.split("\r\n"))) <= _TEXT + 1:
            return folded
    return _encoded(text)


def _phrase(name: str) -> str:
    if not name.isascii() or len(name) > _TEXT or "=?" in name:
        return _encoded(name)
    if _ATOMS.fullmatch(name):
        return name
    quoted = '"' + _QUOTED.sub(r"\\\1", name) + '"'
    return quoted if len(quoted) <= _TEXT else _encoded(name)


def _encoded(text: str) -> str:
    words = (b64encode(piece).decode() for piece in _pieces(text.encode("utf-8", "replace")))
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def _pieces(text: bytes) -> Iterator[bytes]:
    """UTF-8 in pieces that end between characters."""
    start = 0
    while start < len(text):
        end = start + _ENCODED_WORD_BYTES
        while end < len(text) and text[end] & 0xC0 == 0x80:
            end -= 1
        yield text[start:end]
        start = end
