"""Dead letters as operators see them, and what they may do with them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from shared.schemas.addresses import Email, PhoneNumber
from shared.schemas.profile import PushAddress
from shared.schemas.recipient import Recipient
from shared.schemas.text import BigId, Slug
from shared.schemas.users import DeviceToken, Omittable
from shared.schemas.vocabulary import Channel, Reason

FASTEST = 1000


class LetterState(StrEnum):
    """Whether a dead letter still waits for somebody."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class Hindrance(StrEnum):
    """Why a dead letter is not redriven, or not discarded; `meaning` says each in a sentence."""

    ALREADY_REDRIVEN = "already_redriven"
    DISCARDED = "discarded"
    ALREADY_SENT = "already_sent"
    MOVED_ON = "moved_on"
    UNREADABLE = "unreadable"
    NOTIFICATION_MISSING = "notification_missing"
    VARIABLES_NEEDED = "variables_needed"
    RESOLVED_MEANWHILE = "resolved_meanwhile"
    NOT_STORABLE = "not_storable"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Hindrance.ALREADY_REDRIVEN: "It was redriven before.",
    Hindrance.DISCARDED: "It was discarded.",
    Hindrance.ALREADY_SENT: "Its notification went out meanwhile.",
    Hindrance.MOVED_ON: "Its notification no longer stands as failed in this generation.",
    Hindrance.UNREADABLE: "Its message cannot be read, so nothing can be sent; discard it.",
    Hindrance.NOTIFICATION_MISSING: "Its notification is no longer kept; discard it.",
    Hindrance.VARIABLES_NEEDED: "Secrets among its variables are no longer kept; give them anew.",
    Hindrance.RESOLVED_MEANWHILE: "Somebody else redrove or discarded it while the job ran.",
    Hindrance.NOT_STORABLE: "Its message holds a value that cannot be stored; discard it.",
}


class GroupBy(StrEnum):
    """What dead letters are counted by; `day` is that of UTC."""

    REASON = "reason"
    CHANNEL = "channel"
    TEMPLATE = "template"
    PROVIDER = "provider"
    DAY = "day"


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside of the calendar") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with its time zone."""

ProviderName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class DeadLetterFilter(BaseModel):
    """Which dead letters are meant: those that fit everything that is given."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"reason": "recipient_rejected", "channel": "email"}]},
    )

    reason: Reason | None = None
    channel: Channel | None = None
    template_id: Slug | None = None
    provider: ProviderName | None = None
    user_id: BigId | None = None
    batch_id: UUID | None = None
    since: Moment | None = Field(default=None, description="Kept at this moment or later.")
    until: Moment | None = Field(default=None, description="Kept before this moment.")


class DeadLetter(BaseModel):
    """A notification that failed, kept with its reason."""

    id: int
    request_id: UUID | None = Field(
        description="Its notification; null when the message cannot be read."
    )
    generation: int | None
    user_id: int | None
    channel: Channel | None
    template_id: str | None
    provider: str | None
    reason: Reason
    meaning: str = Field(description="The reason in a sentence.")
    attempts: int = Field(description="The number of the last try.")
    last_error: str | None
    state: LetterState
    created_at: datetime
    resolved_at: datetime | None = Field(description="When it was redriven or discarded.")


class DeadLetterDetail(DeadLetter):
    """A dead letter with its message."""

    message: dict[str, Any] | None = Field(
        description="Its message, when it can be read; secrets are shown as `***`."
    )
    body_base64: str | None = Field(
        description="Else its bytes as they were found, the first MiB of them."
    )
    body_bytes: int = Field(description="How many bytes it has.")


class DeadLetterGroup(BaseModel):
    """How many dead letters have one value in common."""

    group: GroupBy
    value: str | None = Field(description="null where the message cannot be read.")
    count: int
    meaning: str | None = Field(default=None, description="Of a reason, in a sentence.")


class NewRecipient(BaseModel):
    """One address to use in place of the profile's; it must be of the notification's channel."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "minProperties": 1,
            "maxProperties": 1,
            "examples": [{"email": "john@example.com"}, {"phone": "+14155552671"}],
        },
    )

    email: Omittable[Email] = None
    phone: Omittable[PhoneNumber] = None
    push: Omittable["NewPushAddress"] = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("must be one of email, phone and push")
        return self

    def recipient(self) -> Recipient:
        return Recipient.model_validate(self.model_dump(exclude_unset=True))


class NewPushAddress(PushAddress):
    """What a push provider calls a device."""

    model_config = ConfigDict(extra="forbid")

    value: DeviceToken


class RedriveRequest(BaseModel):
    """What is to be different when it is sent again; nothing, if nothing is given."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"variables": {"name": "John Doe"}}, {}]},
    )

    variables: Omittable[dict[str, Any]] = Field(
        default=None,
        description="Each takes the place of the stored one of its name. Secrets are not kept: "
        "they must be given.",
        repr=False,
    )
    recipient: Omittable[NewRecipient] = Field(
        default=None, description="Where it goes in place of the user's own addresses."
    )


class Redriven(BaseModel):
    """A dead letter that is on its way again."""

    dead_letter_id: int
    request_id: UUID
    generation: int = Field(description="The new one.")
    expires_at: datetime


class JobAction(StrEnum):
    """What a job does with each of its dead letters."""

    REDRIVE = "redrive"
    DISCARD = "discard"


class JobState(StrEnum):
    """Whether a job goes on."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class JobRequest(BaseModel):
    """Many dead letters at once: all open ones that fit the filter now, none that come later."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"filter": {"reason": "recipient_rejected"}}]},
    )

    filter: DeadLetterFilter = Field(description="`{}` is every open one.")
    dry_run: StrictBool = Field(default=False, description="Count only.")
    rate_per_second: int = Field(default=50, ge=1, le=FASTEST, description="At most so many.")


class DeadLetterPreview(BaseModel):
    """What a job would look at."""

    total: int
    by_reason: list[DeadLetterGroup]


class DeadLetterJob(BaseModel):
    """A job on many dead letters, and how far it is."""

    id: int
    action: JobAction
    filter: DeadLetterFilter
    rate_per_second: int
    state: JobState
    total: int = Field(description="Open letters that fitted when the job was asked for.")
    done: int
    skipped: int
    skipped_why: dict[Hindrance, int] = Field(description="How many for which hindrance.")
    remaining: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
