"""What a delivery ended in, as a value: decided in the pipeline, carried out by the settler."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.schemas.text import Said
from shared.schemas.vocabulary import Reason


class _Value(BaseModel):
    """`takes` above 1: a worker died while it sent this, and nobody knows whether it arrived."""

    model_config = ConfigDict(frozen=True)

    provider: str | None = None
    detail: Said | None = None
    takes: int = 1


class Sent(_Value):
    """The provider accepted it. `message_id` is the provider's own name for it."""

    kind: Literal["sent"] = "sent"
    message_id: Said | None = None


class Skipped(_Value):
    """It must not go out, or its time is over."""

    kind: Literal["skipped"] = "skipped"
    reason: Reason


class Retry(_Value):
    """An attempt is spent; the next one in `after` seconds."""

    kind: Literal["retry"] = "retry"
    after: float


class Deferred(_Value):
    """Nothing was said about the message: no attempt is spent; on at `until`."""

    kind: Literal["deferred"] = "deferred"
    until: datetime


class Dead(_Value):
    """It cannot be delivered; to the dead letters."""

    kind: Literal["dead"] = "dead"
    reason: Reason


Outcome = Annotated[Sent | Skipped | Retry | Deferred | Dead, Field(discriminator="kind")]

OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
"""Reads and writes outcomes as JSON: they are stored with their claim."""
