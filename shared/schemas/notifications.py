"""Notifications as clients ask for them and see them."""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.schemas.recipient import Recipient
from shared.schemas.text import BigId, IdempotencyKey, LanguageTag, Slug
from shared.schemas.vocabulary import Channel, Priority, Reason, Status

LONGEST_LIFETIME = timedelta(days=30)


class SendRequest(BaseModel):
    """One notification for one user on one channel."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [
                {
                    "user_id": 1,
                    "channel": "email",
                    "template_id": "welcome_email",
                    "variables": {
                        "name": "John Doe",
                        "action_url": "https://example.com/verify",
                    },
                    "priority": "high",
                }
            ]
        },
    )

    user_id: BigId
    channel: Channel
    template_id: Slug
    variables: dict[str, Any] = Field(
        default_factory=dict, description="Values for the template's variables.", repr=False
    )
    priority: Priority = Priority.NORMAL
    category: Slug | None = Field(default=None, description="What kind of message this is.")
    locale: LanguageTag | None = Field(
        default=None, description="Language of the text; else the user's own."
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Kept with the notification and shown with its status."
    )
    expires_at: AwareDatetime | None = Field(
        default=None,
        description="Not sent after this time, at most 30 days ahead; when nothing is said, "
        "the category decides, else 24 hours.",
    )
    request_id: IdempotencyKey | None = Field(
        default=None,
        description="Your own name for this request, up to 255 printable characters: the "
        "idempotency key when there is no Idempotency-Key header. The `request_id` of the answer "
        "is another: the notification's id.",
    )


class Accepted(BaseModel):
    """The answer to an accepted request: it is committed."""

    request_id: UUID = Field(description="The notification's id.")
    status: Literal[Status.QUEUED] = Status.QUEUED
    channel: Channel
    correlation_id: str
    remaining_requests: int = Field(description="What is left of the user's rate limit.")


class TimelineEntry(BaseModel):
    """One thing that happened to a notification."""

    at: datetime
    status: Status
    reason: Reason | None = None
    meaning: str | None = Field(default=None, description="The reason in a sentence.")
    attempt: int | None = None
    provider: str | None = None
    provider_message_id: str | None = None
    device: str | None = None
    detail: str | None = Field(default=None, description="What the provider, or we, said of it.")


class Notification(BaseModel):
    """A notification and where it stands."""

    model_config = ConfigDict(from_attributes=True)

    request_id: UUID
    user_id: int
    batch_id: UUID | None = Field(description="The batch it was asked for with.")
    channel: Channel
    template_id: str
    template_version: int | None
    category: str | None
    priority: Priority
    status: Status
    reason: Reason | None = Field(description="Why it was not sent.")
    meaning: str | None = Field(default=None, description="The reason in a sentence.")
    attempts: int = Field(description="Tries that a provider answered.")
    provider: str | None
    provider_message_id: str | None
    correlation_id: str
    metadata: dict[str, Any]
    recipient: Recipient | None = Field(
        default=None, description="Where it goes in place of the user's own addresses."
    )
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    expires_at: datetime
    redriven_at: datetime | None = Field(
        default=None, description="When it was last sent again from the dead letters."
    )


class NotificationDetail(Notification):
    """A notification with everything that happened to it, oldest first."""

    variables: dict[str, Any] = Field(
        description="A secret of the template is shown as `***`; all are, while the template "
        "could not be looked up."
    )
    timeline: list[TimelineEntry]
