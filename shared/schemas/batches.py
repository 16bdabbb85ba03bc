"""Batches: many notifications asked for in one call, and how they fare."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.schemas.envelope import ErrorBody
from shared.schemas.notifications import SendRequest
from shared.schemas.text import BigId, LanguageTag, Slug
from shared.schemas.vocabulary import Channel, Mode, Priority, Reason, Status

MOST_NOTIFICATIONS = 1000
MOST_RECIPIENTS = 10_000
MAX_BATCH_BYTES = 4 * 1024 * 1024


class BatchItem(SendRequest):
    """One notification of a batch, as in a single send; it takes the bulk lane by default."""

    priority: Priority = Priority.LOW


class BatchOfNotifications(BaseModel):
    """Many notifications, each with a content of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    notifications: Annotated[
        list[BatchItem], Field(min_length=1, max_length=MOST_NOTIFICATIONS, repr=False)
    ]


class BatchRecipient(BaseModel):
    """One of many recipients; its variables win over the common ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    user_id: BigId
    variables: dict[str, Any] = Field(default_factory=dict, repr=False)


class BatchContent(BaseModel):
    """What all recipients of a batch are told."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    channel: Channel
    template_id: Slug
    variables: dict[str, Any] = Field(
        default_factory=dict, description="Values for the template's variables.", repr=False
    )
    priority: Priority = Priority.LOW
    category: Slug | None = Field(default=None, description="What kind of message this is.")
    locale: LanguageTag | None = Field(
        default=None, description="Language of the text; else each user's own."
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Kept with each notification."
    )
    expires_at: AwareDatetime | None = None


class BatchOfRecipients(BatchContent):
    """One content for many users."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [
                {
                    "recipients": [1, {"user_id": 2, "variables": {"name": "John Doe"}}],
                    "channel": "email",
                    "template_id": "welcome_email",
                    "variables": {"name": "friend"},
                }
            ]
        },
    )

    recipients: list[BigId | BatchRecipient] = Field(
        min_length=1,
        max_length=MOST_RECIPIENTS,
        description="Users, each once: ids, or ids with variables that win over the common ones.",
        repr=False,
    )


class ItemError(ErrorBody):
    """Why one item of a batch was refused, as a single send would have been."""

    message: str


class ItemResult(BaseModel):
    """What became of one item: accepted, or refused by itself."""

    request_id: UUID | None = Field(description="The notification's id; null if refused.")
    user_id: int | None = Field(description="As far as the item can be read.")
    replayed: bool = Field(
        default=False, description="Accepted before, under the item's own `request_id`."
    )
    error: ItemError | None = None


class BatchAccepted(BaseModel):
    """The answer to a batch: what is accepted is committed."""

    batch_id: UUID
    total: int
    accepted: int = Field(description="How many are accepted, replayed ones among them.")
    refused: int = Field(description="How many are not: the results say why.")
    correlation_id: str
    results: list[ItemResult] = Field(description="One for each item, in the order asked for.")


class BatchState(StrEnum):
    """Where a batch stands."""

    ACCEPTING = "accepting"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class ReasonCount(BaseModel):
    """How many notifications have one reason in common."""

    reason: Reason
    meaning: str
    count: int


class BatchSummary(BaseModel):
    """A batch as lists show it."""

    batch_id: UUID
    mode: Mode
    total: int
    accepted: int = Field(
        description="How many are accepted, replayed ones among them; so far, while accepting."
    )
    replayed: int = Field(
        description="How many of them belong to earlier calls: they are not counted below."
    )
    refused: int
    refused_why: dict[str, int] = Field(description="How many for which error code.")
    correlation_id: str
    created_at: datetime
    cancelled_at: datetime | None


class Batch(BatchSummary):
    """A batch and how its notifications fare."""

    state: BatchState = Field(
        description="`accepting`: taken up at this moment. `interrupted`: taking it up ended "
        "half-way; the same call under the same key completes it. `running`: something is under "
        "way. `finished`: all are final, failed ones too. `cancelling`: cancelled, and what waits "
        "in the queues is stopped as it comes up. `cancelled`: and all are final."
    )
    statuses: dict[Status, int] = Field(description="How many stand where.")
    reasons: list[ReasonCount] = Field(description="Why some were not sent, most frequent first.")


class BatchCancelled(Batch):
    """A batch after it was cancelled."""

    cancelled_now: int = Field(description="How many this call took out of the outbox.")
    stops_queued: bool = Field(
        description="Whether the workers were told. If not, Redis is away: what is in the queues "
        "goes out; cancel again."
    )
