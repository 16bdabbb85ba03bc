"""Pages of a list: a cursor is opaque to clients, the last row's key to us."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import TypeAdapter, ValidationError

from shared.errors import FieldProblem, Unprocessable
from shared.schemas.envelope import Envelope, Meta

Key = TypeVar("Key")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=200, description="`meta.next_cursor` of the page before.")
]


def key_in(cursor: str | None, kind: TypeAdapter[Key]) -> Key | None:
    """The key that a page begins after; raises Unprocessable for a cursor that is not ours."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        return kind.validate_strings(key)
    except (binascii.Error, ValueError, ValidationError) as error:
        problem = FieldProblem("cursor", "is not a cursor that this list gave out")
        raise Unprocessable("The cursor is not valid.", [problem]) from error


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], object]) -> Envelope[list[Row]]:
    """A page of at most `limit`; `rows` holds one more where there is a next page."""
    shown = list(rows[:limit])
    following = None
    if len(rows) > limit:
        last = str(key(shown[-1])).encode()
        following = base64.urlsafe_b64encode(last).decode().rstrip("=")
    return Envelope(data=shown, meta=Meta(limit=limit, next_cursor=following))
