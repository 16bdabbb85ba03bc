"""May we? From a message and a profile to a refusal, or None. Pure: it is asked again at will."""

from datetime import datetime

from shared.delivery.outcome import Dead, Skipped
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import NotificationMessage


def too_late(message: NotificationMessage, now: datetime) -> Skipped | Dead | None:
    """What becomes of a message whose lifetime is over."""
    if now < message.expires_at:
        return None
    if message.waits:
        return Dead(reason=Reason.PROVIDER_UNAVAILABLE, detail="its lifetime ended while waiting")
    return Skipped(reason=Reason.EXPIRED)


def refusal(message: NotificationMessage, profile: Profile | None) -> Skipped | Dead | None:
    """Why this person must not, or cannot, be told on this channel."""
    if profile is None:
        return Dead(reason=Reason.USER_NOT_FOUND)
    if not profile.active:
        return Skipped(reason=Reason.USER_INACTIVE)
    if message.channel not in profile.enabled:
        return Skipped(reason=Reason.CHANNEL_DISABLED)
    return None
