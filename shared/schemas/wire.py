"""Messages on RabbitMQ. Versioned: a reader of version N returns newer ones to the queue."""

from collections.abc import Iterable
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.masking import erased
from shared.schemas.recipient import Recipient
from shared.schemas.templates import VariableName
from shared.schemas.text import BigId, CorrelationId, Count, LanguageTag, Ordinal, Slug
from shared.schemas.vocabulary import Channel, Mode, OnUnknown, Priority, Reason, Status

WIRE_VERSION = 1


class NotificationMessage(BaseModel):
    """One notification on its way through a lane.

    `generation` counts redrives, `hop` counts hand-offs within a generation, `attempt` is the
    number of this try as the provider will see it. All start at 1. Copies made by the relay or
    the reconciler keep all three.
    `sensitive` are the variables whose values are secrets, as far as they are known. Nobody tells
    of them, and a message that waits for nothing more is kept without them.

    What a request cannot hold, no message holds: look-ups join many messages, and a value that
    breaks one of them would break its neighbours.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    version: Ordinal = WIRE_VERSION
    id: UUID
    generation: Ordinal = 1
    hop: Ordinal = 1
    attempt: Ordinal = 1
    channel: Channel
    priority: Priority = Priority.NORMAL
    category: Slug | None = None
    mode: Mode = Mode.LIVE
    user_id: BigId
    template_id: Slug
    template_version: Ordinal | None = Field(
        default=None, description="Pinned at accept; None resolves the newest while sending."
    )
    locale: LanguageTag | None = None
    variables: dict[str, Any] = Field(default_factory=dict, repr=False)
    sensitive: tuple[VariableName, ...] | None = Field(
        default=(), description="None: nobody could look the template up yet, so all may be."
    )
    on_unknown: OnUnknown | None = Field(
        default=None, description="What an unknown outcome means; None leaves it to the channel."
    )
    recipient: Recipient | None = Field(
        default=None, description="Goes here, and to none of the addresses in the profile."
    )
    devices: tuple[str, ...] | None = Field(
        default=None, description="The targets that are still to be reached; None is all."
    )
    reached: bool = Field(
        default=False, description="Whether an earlier hop already reached one of several targets."
    )
    waits: Count = Field(default=0, description="Deferrals in a row; they stretch the wait.")
    batch_id: UUID | None = Field(
        default=None, description="What it was asked for with; a cancelled batch is not sent."
    )
    correlation_id: CorrelationId
    traceparent: str | None = None
    created_at: AwareDatetime
    expires_at: AwareDatetime

    def next_hop(self, **changes: Any) -> Self:
        """The same notification handed on once more."""
        return self.model_copy(update={"hop": self.hop + 1, **changes})

    def without_secrets(self) -> Self:
        """The same notification as it is kept once it failed: secrets have no values."""
        return self.model_copy(update={"variables": erased(self.variables, self.sensitive)})


class OutcomeReport(BaseModel):
    """What became of one hop, as the gateway writes it into the timeline.

    `event_id` is the same in every copy of the report, so that a repeat changes nothing.
    A `partial` one speaks of one device of several: it enters the timeline and moves no status.
    `onward` is what goes on through the outbox at `due` (a deferral, or a retry whose delay no
    retry tier has). `sensitive` are the message's, for the gateway may not know them all.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

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
    started_at: AwareDatetime | None = None
    at: AwareDatetime
    onward: NotificationMessage | None = None
    due: AwareDatetime | None = None
    sensitive: tuple[VariableName, ...] | None = None


class OutcomeBatch(BaseModel):
    """One AMQP message on `status.queue`: many outcomes."""

    model_config = ConfigDict(hide_input_in_errors=True)

    version: int = WIRE_VERSION
    reports: list[OutcomeReport]

    @staticmethod
    def joined(reports: Iterable[bytes]) -> bytes:
        """The JSON of a batch, from the JSON of its reports."""
        return b'{"version":%d,"reports":[%b]}' % (WIRE_VERSION, b",".join(reports))
