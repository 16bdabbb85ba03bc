"""Several devices of one user: each is a delivery of its own."""

import pytest

from shared.errors import (
    ProviderDeclined,
    TokenInvalid,
)
from shared.schemas.profile import Profile, PushTarget
from shared.schemas.vocabulary import Status
from tests.shared.broker import notification
from tests.shared.delivery.worker import Post

PHONE, TABLET, WATCH = (
    PushTarget(id=name, value=f"token-{name}") for name in ("phone", "tablet", "watch")
)


@pytest.fixture
def devices(neighbours):
    neighbours.profiles[1] = Profile(user_id=1, version=3, devices=(PHONE, TABLET, WATCH))


@pytest.mark.usefixtures("devices")
async def test_each_device_is_a_delivery_and_a_retry_carries_the_unfinished(
    start, lane, neighbours
):
    failures = {
        TABLET.value: [ProviderDeclined("later")],
        WATCH.value: [TokenInvalid("unregistered")],
    }
    worker = await start(post=Post(failures))
    message = notification()
    await lane.put(message)
    reports = [await lane.report() for _ in range(4)]
    partial = {report.device: report.status for report in reports if report.partial}
    assert partial == {
        "phone": Status.SENT,
        "tablet": Status.RETRYING,
        "watch": Status.FAILED,
    }
    assert [r.status for r in reports if not r.partial] == [Status.RETRYING]
    final = await lane.report()
    assert (final.status, final.device) == (Status.SENT, "tablet")
    assert sorted(address for address, _ in worker.post.sent) == [PHONE.value, TABLET.value]
    assert worker.post.keys.count(f"{message.id}.1.tablet") == 2
    [dead] = neighbours.dead_devices
    assert (dead.device_id, dead.value) == ("watch", WATCH.value)


@pytest.mark.usefixtures("devices")
async def test_what_was_put_off_before_any_device_was_known_is_not_sent_by_a_copy(
    start, lane, neighbours
):
    """Else the copy would send it, and so would the hop that goes on."""
    neighbours.away = True
    worker = await start()
    message = notification()
    await lane.put(message)
    first = await lane.report()
    assert first.status is Status.DEFERRED
    neighbours.away = False
    await lane.put(message)
    second = await lane.report()
    assert (second.event_id, second.device, second.partial) == (first.event_id, None, False)
    assert not worker.post.sent
