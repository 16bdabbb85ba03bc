"""What the routes have in common: one change's answer, and pages of a list."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from shared.errors import FieldProblem, Unprocessable
from shared.schemas.envelope import Envelope, Meta
from shared.schemas.text import BigId
from shared.schemas.users import Device, User
from user_service.changes import Changed

Data = TypeVar("Data")

UserId = BigId

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=64, description="`meta.next_cursor` of the page before.")
]

_MAX_ID = 2**63 - 1

Row = TypeVar("Row", User, Device)


def changed(change: Changed[Data], message: str) -> Envelope[Data]:
    """The answer to a change; `meta.effective_at` when cached profiles must run out first."""
    meta = None
    if change.effective_at is not None:
        meta = Meta.model_validate({"effective_at": change.effective_at.isoformat()})
    return Envelope(data=change.value, message=message, meta=meta)


def last_id(cursor: str | None) -> int:
    """The id that a page begins after; raises Unprocessable for a cursor that is not ours."""
    if cursor is None:
        return 0
    try:
        value = int(base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii"))
        if 0 < value <= _MAX_ID:
            return value
    except (ValueError, binascii.Error):
        pass
    problem = FieldProblem("cursor", "is not a cursor that this list gave out")
    raise Unprocessable("The cursor is not valid.", [problem])


def page(rows: Sequence[Row], limit: int) -> Envelope[list[Row]]:
    """A page of at most `limit`; `rows` holds one more when there is a next page."""
    shown = list(rows[:limit])
    more = len(rows) > limit
    cursor = base64.urlsafe_b64encode(str(shown[-1].id).encode()).decode() if more else None
    return Envelope(data=shown, meta=Meta(limit=limit, next_cursor=cursor))
