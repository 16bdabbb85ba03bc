"""Cursors: the last key of a page, opaque to clients."""

import base64
import binascii

from shared.errors import FieldProblem, Unprocessable

_LONGEST = 500


def cursor_of(key: str | int) -> str:
    """What a client gives back to read on behind `key`."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def key_of(cursor: str | None) -> str | None:
    """The key behind which to read on; raises Unprocessable for what was no cursor of ours."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _unknown_cursor() from None
    if not key.isprintable() or not 0 < len(key) <= _LONGEST:
        raise _unknown_cursor()
    return key


def number_of(cursor: str | None) -> int | None:
    """The same, where the key is a positive number of at most 31 bits."""
    key = key_of(cursor)
    if key is None:
        return None
    if not (key.isascii() and key.isdigit() and len(key) <= 10 and 0 < int(key) < 2**31):
        raise _unknown_cursor()
    return int(key)


def _unknown_cursor() -> Unprocessable:
    return Unprocessable(
        "The cursor is not one that this list gave.",
        [FieldProblem("cursor", "is not a `next_cursor` of this list")],
    )
