"""From what went wrong to an outcome: what is an attempt, what costs only time, what is final."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.delivery.outcome import Dead, Deferred, Outcome, Retry
from shared.errors import (
    BreakerOpen,
    ContentRejected,
    NeighbourUnavailable,
    OutcomeUnknown,
    ProviderDeclined,
    ProviderMisconfigured,
    ProviderUnavailable,
    RecipientRejected,
    TokenInvalid,
)
from shared.rendering import ContentTooLarge, MissingVariable, RenderingError
from shared.resilience.schedule import RetrySchedule, backoff
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import NotificationMessage

PERMANENT: dict[type[Exception], Reason] = {
    RecipientRejected: Reason.RECIPIENT_REJECTED,
    ContentRejected: Reason.CONTENT_REJECTED,
    TokenInvalid: Reason.TOKEN_INVALID,
    MissingVariable: Reason.MISSING_VARIABLE,
    ContentTooLarge: Reason.CONTENT_TOO_LARGE,
    RenderingError: Reason.RENDER_ERROR,
}

NOT_REACHED = (ProviderUnavailable, ProviderMisconfigured, NeighbourUnavailable, BreakerOpen)
"""Nothing was said about the message: it waits, and no attempt is spent."""

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 2.0, 60.0
_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Judge:
    """Applies the retry schedule; `on_unknown` is the channel's."""

    schedule: RetrySchedule
    on_unknown: Literal["resend", "hold"]

    def outcome(
        self, error: Exception, message: NotificationMessage, now: datetime, provider: str | None
    ) -> Outcome:
        detail = (str(error) or type(error).__name__)[:_LONGEST_DETAIL]
        for kind, reason in PERMANENT.items():
            if isinstance(error, kind):
                return Dead(reason=reason, provider=provider, detail=detail)
        if isinstance(error, NOT_REACHED):
            return Deferred(until=_patience(message, now), provider=provider, detail=detail)
        if isinstance(error, OutcomeUnknown) and self.on_unknown == "hold":
            return Dead(reason=Reason.OUTCOME_UNKNOWN, provider=provider, detail=detail)
        is_bug = not isinstance(error, ProviderDeclined | OutcomeUnknown)
        hint = error.retry_after if isinstance(error, ProviderDeclined) else None
        after = self.schedule.delay(message.attempt, hint)
        if after is None:
            reason = Reason.INTERNAL_ERROR if is_bug else Reason.RETRIES_EXHAUSTED
            return Dead(reason=reason, provider=provider, detail=detail)
        return Retry(after=after, provider=provider, detail=detail)


def _patience(message: NotificationMessage, now: datetime) -> datetime:
    """Growing waits, never past the end of the notification's lifetime."""
    wait = backoff(message.waits + 1, base=_FIRST_WAIT_SECONDS, cap=_LONGEST_WAIT_SECONDS)
    return min(now + timedelta(seconds=wait), message.expires_at)
