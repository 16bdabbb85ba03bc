"""Messages on RabbitMQ. Versioned: a reader of version N returns newer ones to the queue."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.vocabulary import Channel, Mode, Priority, Reason, Status

WIRE_VERSION = 1


class NotificationMessage(BaseModel):
    """One notification on its way through a lane.

    `generation` counts redrives, `hop` counts hand-offs within a generation, `attempt` is the
    number of this try as the provider will see it. All start at 1. Copies made by the relay or
    the reconciler keep all three.
    """

    model_config = ConfigDict(frozen=True)

    version: int = WIRE_VERSION
    id: UUID
    generation: int = Field(default=1, ge=1)
    hop: int = Field(default=1, ge=1)
    attempt: int = Field(default=1, ge=1)
    channel: Channel
    priority: Priority = Priority.NORMAL
    category: str | None = None
    mode: Mode = Mode.LIVE
    user_id: int
    template_id: str
    template_version: int | None = Field(
        default=None, description="Pinned at accept; None resolves the newest while sending."
    )
    locale: str | None = None
    variables: dict[str, Any] = Field(default_factory=dict)
    devices: tuple[str, ...] | None = Field(
        default=None, description="The targets that are still to be reached; None is all."
    )
    reached: bool = Field(
        default=False, description="Whether an earlier hop already reached one of several targets."
    )
    waits: int = Field(default=0, ge=0, description="Deferrals in a row; they stretch the wait.")
    correlation_id: str
    traceparent: str | None = None
    created_at: datetime
    expires_at: datetime

    def next_hop(self, **changes: Any) -> Self:
        """The same notification handed on once more."""
        return self.model_copy(update={"hop": self.hop + 1, **changes})


class OutcomeReport(BaseModel):
    """What became of one hop, as the gateway writes it into the timeline.

    `event_id` is the same in every copy of the report, so that a repeat changes nothing.
    A `partial` one speaks of one device of several: it enters the timeline and moves no status.
    `onward` is what goes on through the outbox at `due` (a deferral, or a retry whose delay no
    retry tier has).
    """

    model_config = ConfigDict(frozen=True)

    event_id: UUID
    notification_id: UUID
    generation: int
    hop: int
    attempt: int
    status: Status
    reason: Reason | None = None
    provider: str | None = None
    provider_message_id: str | None = None
    detail: str | None = None
    device: str | None = None
    partial: bool = False
    started_at: datetime | None = None
    at: datetime
    onward: NotificationMessage | None = None
    due: datetime | None = None


class OutcomeBatch(BaseModel):
    """One AMQP message on `status.queue`: many outcomes."""

    version: int = WIRE_VERSION
    reports: list[OutcomeReport]
