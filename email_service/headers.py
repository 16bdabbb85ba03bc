"""Header lines: folded, and encoded where they are not plain ASCII (RFC 5322, RFC 2047)."""

import re
from base64 import b64encode
from collections.abc import Iterator

from email_service.mailbox import Mailbox

_NAME = re.compile(r"[A-Za-z0-9-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FOLD = re.compile(r"(.{1,66}) (?=\S)")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_QUOTED = re.compile(r'(["\\])')

_LONGEST_LINE = 998
_ENCODED_WORD_BYTES = 42
"""Bytes of text in one encoded word, which is 75 characters at most."""


def structured(name: str, value: str) -> str:
    """A line whose value is passed on as it is: it has its own syntax, and encoding breaks it.

    Raises ValueError for a name or value that would break out of the line.
    """
    if not _NAME.fullmatch(name) or _CONTROL.search(value):
        raise ValueError(f"not a header: {name!r}")
    return f"{name}: {value}\r\n"


def unstructured(name: str, text: str) -> str:
    """A line of text for people, such as a subject."""
    return structured(name, "")[:-2] + _words(text) + "\r\n"


def mailbox(name: str, owner: Mailbox) -> str:
    """A line with one address, in front of it the owner's name where there is one."""
    if not owner.name:
        return structured(name, owner.address)
    return structured(name, "")[:-2] + f"{_phrase(owner.name)} <{owner.address}>\r\n"


def _words(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("a control character in a header")
    if text.isascii() and text == text.strip() and "=?" not in text:
        folded = _FOLD.sub("\\1\r\n ", text)
        if max(map(len, folded.split("\r\n"))) < _LONGEST_LINE - _ENCODED_WORD_BYTES:
            return folded
    return _encoded(text)


def _phrase(name: str) -> str:
    if not name.isascii():
        return _encoded(name)
    if _ATOMS.fullmatch(name) and "=?" not in name:
        return name
    return '"' + _QUOTED.sub(r"\\\1", name) + '"'


def _encoded(text: str) -> str:
    words = (b64encode(piece).decode() for piece in _pieces(text))
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def _pieces(text: str) -> Iterator[bytes]:
    """The text in UTF-8, in pieces that end between characters."""
    piece = bytearray()
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(piece) + len(encoded) > _ENCODED_WORD_BYTES:
            yield bytes(piece)
            piece.clear()
        piece += encoded
    yield bytes(piece)
