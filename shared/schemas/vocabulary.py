"""The closed word lists: channels, priorities, statuses, reasons. Add a word only here."""

from enum import StrEnum
from typing import Literal


class Channel(StrEnum):
    """A way to reach a person."""

    EMAIL = "email"
    PUSH = "push"
    SMS = "sms"


class Priority(StrEnum):
    """How urgent a notification is; it chooses the lane."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the most urgent: what the outbox is drained by."""
        return _PRIORITY_RANKS[self]


_PRIORITY_RANKS = {Priority.CRITICAL: 0, Priority.HIGH: 1, Priority.NORMAL: 2, Priority.LOW: 3}


class Mode(StrEnum):
    """Whether an API key's notifications really go out (`test` ones meet a simulated provider)."""

    LIVE = "live"
    TEST = "test"


OnUnknown = Literal["resend", "hold"]
"""What becomes of a send whose outcome nobody knows: `resend` repeats it under the same Message-ID
or collapse key, `hold` puts it among the dead letters."""


class Status(StrEnum):
    """Where a notification stands."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    RETRYING = "retrying"
    DEFERRED = "deferred"
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    BOUNCED = "bounced"
    DELIVERED = "delivered"
    COMPLAINED = "complained"

    @property
    def rank(self) -> int:
        """Order of statuses within one hop: a report of a lower rank never replaces a higher."""
        return _STATUS_RANKS[self]

    @property
    def is_proof(self) -> bool:
        """Whether it proves that the person was reached, which beats every decision."""
        return self in (Status.DELIVERED, Status.COMPLAINED)

    @property
    def is_final(self) -> bool:
        """Whether only a redrive or a delivery event can follow."""
        return self.rank >= Status.SENT.rank


_STATUS_RANKS = {
    Status.QUEUED: 0,
    Status.SCHEDULED: 0,
    Status.PROCESSING: 1,
    Status.RETRYING: 2,
    Status.DEFERRED: 2,
    Status.SENT: 5,
    Status.SKIPPED: 6,
    Status.FAILED: 6,
    Status.CANCELLED: 6,
    Status.EXPIRED: 6,
    Status.BOUNCED: 7,
    Status.DELIVERED: 8,
    Status.COMPLAINED: 9,
}


class Reason(StrEnum):
    """Why a notification was not sent. The list is closed; `meaning` says each in a sentence."""

    NO_ADDRESS = "no_address"
    CHANNEL_DISABLED = "channel_disabled"
    CATEGORY_OPTED_OUT = "category_opted_out"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    USER_INACTIVE = "user_inactive"
    DUPLICATE = "duplicate"
    CAPPED = "capped"

    USER_NOT_FOUND = "user_not_found"
    TEMPLATE_NOT_FOUND = "template_not_found"
    TEMPLATE_INACTIVE = "template_inactive"
    MISSING_VARIABLE = "missing_variable"
    RENDER_ERROR = "render_error"
    CONTENT_TOO_LARGE = "content_too_large"
    RECIPIENT_REJECTED = "recipient_rejected"
    CONTENT_REJECTED = "content_rejected"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a reason, not a secret
    RETRIES_EXHAUSTED = "retries_exhausted"
    OUTCOME_UNKNOWN = "outcome_unknown"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    UNREADABLE_MESSAGE = "unreadable_message"
    INTERNAL_ERROR = "internal_error"

    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def meaning(self) -> str:
        """One sentence for the person who asks why."""
        return _MEANINGS[self]

    @property
    def status(self) -> Status:
        """The final status that this reason leads to."""
        if self in _SKIPS:
            return Status.SKIPPED
        if self in (Reason.EXPIRED, Reason.CANCELLED):
            return Status(self.value)
        return Status.FAILED


_SKIPS = frozenset(
    {
        Reason.NO_ADDRESS,
        Reason.CHANNEL_DISABLED,
        Reason.CATEGORY_OPTED_OUT,
        Reason.UNSUBSCRIBED,
        Reason.SUPPRESSED,
        Reason.USER_INACTIVE,
        Reason.DUPLICATE,
        Reason.CAPPED,
    }
)

_MEANINGS = {
    Reason.NO_ADDRESS: "The user has no address or device for this channel.",
    Reason.CHANNEL_DISABLED: "The user switched this channel off.",
    Reason.CATEGORY_OPTED_OUT: "The user opted out of this category.",
    Reason.UNSUBSCRIBED: "The user unsubscribed.",
    Reason.SUPPRESSED: "The address is suppressed.",
    Reason.USER_INACTIVE: "The user is deactivated.",
    Reason.DUPLICATE: "The same content went to the same recipient within the window.",
    Reason.CAPPED: "The recipient's frequency cap is reached.",
    Reason.USER_NOT_FOUND: "There is no user with this id.",
    Reason.TEMPLATE_NOT_FOUND: "There is no template with this id.",
    Reason.TEMPLATE_INACTIVE: "The template is deactivated.",
    Reason.MISSING_VARIABLE: "The template needs a variable that the request does not give.",
    Reason.RENDER_ERROR: "The template could not be rendered with these variables.",
    Reason.CONTENT_TOO_LARGE: "The rendered content is larger than the channel allows.",
    Reason.RECIPIENT_REJECTED: "The provider refuses this recipient for good.",
    Reason.CONTENT_REJECTED: "The provider refuses this content for good.",
    Reason.TOKEN_INVALID: "The provider calls every device token of the user dead.",
    Reason.RETRIES_EXHAUSTED: "The provider declined on every attempt.",
    Reason.OUTCOME_UNKNOWN: "A send began and its outcome is unknown; it is held, not repeated.",
    Reason.PROVIDER_UNAVAILABLE: "No provider could be reached in the notification's lifetime.",
    Reason.UNREADABLE_MESSAGE: "The queued message could not be read.",
    Reason.INTERNAL_ERROR: "The service met an unexpected error; its log has the trace.",
    Reason.EXPIRED: "The notification's lifetime ended before it could be sent.",
    Reason.CANCELLED: "The notification was cancelled before it was sent.",
}
