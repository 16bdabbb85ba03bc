"""From what went wrong to an outcome: what is an attempt, what costs only time, what is final."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.delivery.outcome import Dead, Deferred, Outcome, Retry
from shared.errors import (
    BreakerOpen,
    ContentRejected,
    NeighbourUnavailable,
    OutcomeUnknown,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    RecipientRejected,
    TokenInvalid,
)
from shared.observability import discretion
from shared.rendering import ContentTooLarge, MissingVariable, RenderingError
from shared.resilience.schedule import RetrySchedule, backoff
from shared.schemas.vocabulary import OnUnknown, Reason
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
    """Applies the retry schedule; `on_unknown` is the channel's, for messages that do not say.

    A provider's own `retry_after` wins where it is longer. No wait outlives the notification.
    """

    schedule: RetrySchedule
    on_unknown: OnUnknown

    def rule(self, message: NotificationMessage) -> OnUnknown:
        """What becomes of this message when nobody knows whether it was sent."""
        return message.on_unknown or self.on_unknown

    def allows(self, attempt: int) -> bool:
        """Whether attempt number `attempt` may still be made."""
        return attempt <= self.schedule.max_retries + 1

    def outcome(
        self, error: Exception, message: NotificationMessage, now: datetime, provider: str | None
    ) -> Outcome:
        detail = discretion.hide(str(error) or type(error).__name__)[:_LONGEST_DETAIL]
        for kind, reason in PERMANENT.items():
            if isinstance(error, kind):
                return Dead(reason=reason, provider=provider, detail=detail)
        hint = error.retry_after if isinstance(error, ProviderError) else None
        left = (message.expires_at - now).total_seconds()
        if isinstance(error, NOT_REACHED):
            wait = min(max(_patience(message), hint or 0.0), left)
            return Deferred(until=now + timedelta(seconds=wait), provider=provider, detail=detail)
        if isinstance(error, OutcomeUnknown) and self.rule(message) == "hold":
            return Dead(reason=Reason.OUTCOME_UNKNOWN, provider=provider, detail=detail)
        is_bug = not isinstance(error, ProviderDeclined | OutcomeUnknown)
        after = self.schedule.delay(message.attempt, hint)
        if after is None:
            reason = Reason.INTERNAL_ERROR if is_bug else Reason.RETRIES_EXHAUSTED
            return Dead(reason=reason, provider=provider, detail=detail)
        return Retry(after=min(after, left), provider=provider, detail=detail)


def _patience(message: NotificationMessage) -> float:
    """Waits in seconds that grow from one deferral to the next."""
    return backoff(message.waits + 1, base=_FIRST_WAIT_SECONDS, cap=_LONGEST_WAIT_SECONDS)
