from datetime import UTC, datetime, timedelta

import pytest

from shared.delivery.decision import refusal, too_late
from shared.delivery.outcome import Dead, Skipped
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Channel, Reason
from tests.shared.broker import notification

ADA = Profile(user_id=1, version=1)
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (None, Dead(reason=Reason.USER_NOT_FOUND)),
        (ADA.model_copy(update={"active": False}), Skipped(reason=Reason.USER_INACTIVE)),
        (
            ADA.model_copy(update={"enabled": frozenset({Channel.SMS})}),
            Skipped(reason=Reason.CHANNEL_DISABLED),
        ),
        (ADA, None),
    ],
)
def test_who_may_not_be_told(profile, expected):
    assert refusal(notification(), profile) == expected


def test_a_lifetime_that_ended_says_whether_it_waited_for_a_provider():
    ended = notification(expires_at=NOW)
    assert too_late(ended, NOW - timedelta(seconds=1)) is None
    assert too_late(ended, NOW) == Skipped(reason=Reason.EXPIRED)
    waited = too_late(ended.model_copy(update={"waits": 3}), NOW)
    assert isinstance(waited, Dead)
    assert waited.reason is Reason.PROVIDER_UNAVAILABLE
