"""What the routes have in common: one change's answer, and the key of their lists."""

from typing import TypeVar

from pydantic import TypeAdapter

from shared.schemas.envelope import Envelope, Meta
from shared.schemas.text import BigId
from user_service.changes import Changed

Data = TypeVar("Data")

UserId = BigId

ROW_KEY: TypeAdapter[int] = TypeAdapter(BigId)


def changed(change: Changed[Data], message: str) -> Envelope[Data]:
    """The answer to a change; `meta.effective_at` when cached profiles must run out first."""
    meta = None
    if change.effective_at is not None:
        meta = Meta.model_validate({"effective_at": change.effective_at.isoformat()})
    return Envelope(data=change.value, message=message, meta=meta)
