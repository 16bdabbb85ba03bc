"""One address that stands in place of those in the profile."""

from shared.errors import TokenInvalid
from shared.schemas.profile import PushAddress, PushTarget
from shared.schemas.recipient import Recipient
from shared.schemas.vocabulary import Channel, Reason, Status
from tests.shared.broker import notification
from tests.shared.delivery.worker import Letters, Post

ELSEWHERE = Recipient(email="elsewhere@example.com")


async def test_it_goes_there_and_nowhere_else(start, lane):
    worker = await start()
    await lane.put(notification(recipient=ELSEWHERE))
    assert (await lane.report()).status is Status.SENT
    assert [address for address, _ in worker.post.sent] == ["elsewhere@example.com"]


async def test_a_person_without_an_address_is_reached_there(start, lane, neighbours):
    neighbours.profiles[1] = neighbours.profiles[1].model_copy(update={"email": None})
    worker = await start()
    await lane.put(notification(recipient=ELSEWHERE))
    assert (await lane.report()).status is Status.SENT
    assert [address for address, _ in worker.post.sent] == ["elsewhere@example.com"]


async def test_preferences_still_count(start, lane, neighbours):
    changed = {"enabled": frozenset({Channel.SMS})}
    neighbours.profiles[1] = neighbours.profiles[1].model_copy(update=changed)
    worker = await start()
    await lane.put(notification(recipient=ELSEWHERE))
    report = await lane.report()
    assert (report.status, report.reason) == (Status.SKIPPED, Reason.CHANNEL_DISABLED)
    assert worker.post.began == 0


async def test_its_token_is_no_device_of_the_user(start, lane, neighbours):
    device = PushTarget(id="7", value="johns-phone")
    neighbours.profiles[1] = neighbours.profiles[1].model_copy(update={"devices": (device,)})
    worker = await start(post=Post({"lent-phone": [TokenInvalid("gone")]}), channel=Letters())
    await lane.put(notification(recipient=Recipient(push=PushAddress(value="lent-phone"))))
    assert (await lane.dead_letter()).headers["reason"] == "token_invalid"
    assert worker.post.began == 1
    assert neighbours.dead_devices == []
