"""Cursors of paged lists: opaque to clients, the last row's key to us."""

import base64
import binascii

from shared.errors import FieldProblem, Unprocessable


def encode(key: str) -> str:
    """The cursor for the page after the row with this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """The key inside a cursor; raises Unprocessable when it is none of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid() from error


def invalid() -> Unprocessable:
    """What a client is told whose cursor leads nowhere."""
    problem = FieldProblem("cursor", "is not a cursor that a list answered")
    return Unprocessable("The cursor is not valid.", [problem])
