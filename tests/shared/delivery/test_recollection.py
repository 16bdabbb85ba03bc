"""What a hop has come to stands, whatever would be decided about a copy of it later."""

import pytest

from shared.cache import ProfileCache
from shared.delivery import pipeline
from shared.delivery.licence import Licences
from shared.messaging.addressed import REASON_HEADER
from shared.schemas.profile import Profile, PushTarget
from shared.schemas.vocabulary import Reason, Status
from tests.shared.broker import notification, until
from tests.shared.delivery.worker import Letters

ADA = Profile(user_id=1, version=1, email="ada@example.com")
OPTED_OUT = ADA.model_copy(update={"version": 2, "enabled": frozenset()})
PHONE, TABLET = (PushTarget(id=name, value=f"token-{name}") for name in ("phone", "tablet"))


@pytest.fixture
def now_is(cache, neighbours):
    """Changes the profile of user 1, as the user service does."""

    async def change(profile: Profile) -> None:
        neighbours.profiles[1] = profile
        await ProfileCache(cache).put_many([profile])

    return change


@pytest.fixture
async def dead_worker(cache, now_is):
    """Claims of a worker that is no more."""
    await now_is(ADA)
    return Licences(cache)


async def test_what_was_sent_stays_sent_though_the_user_opts_out(start, lane, now_is):
    worker = await start()
    message = notification()
    await lane.put(message)
    first = await lane.report()
    await now_is(OPTED_OUT)
    await lane.put(message)
    again = await lane.report()
    assert (again.status, again.event_id) == (Status.SENT, first.event_id)
    await lane.put(notification())
    assert (await lane.report()).reason is Reason.CHANNEL_DISABLED
    assert len(worker.post.sent) == 1


async def test_what_was_sent_is_not_put_off_while_nobody_knows_the_user(
    start, lane, neighbours, cache, now_is
):
    await now_is(ADA)
    worker = await start()
    message = notification()
    await lane.put(message)
    await lane.report()
    neighbours.away = True
    await ProfileCache(cache).forget(1, 1)
    await lane.put(message)
    again = await lane.report()
    assert (again.status, again.hop) == (Status.SENT, 1)
    assert len(worker.post.sent) == 1


async def test_a_refusal_after_a_workers_death_says_that_it_may_have_arrived(
    start, lane, now_is, dead_worker
):
    message = notification()
    await dead_worker.apply(message, "", version=1, on_unknown="resend")
    await dead_worker.close()
    await now_is(OPTED_OUT)
    worker = await start()
    await lane.put(message)
    report = await lane.report()
    assert report.reason is Reason.CHANNEL_DISABLED
    assert report.detail == "a worker died while it sent this"
    assert worker.post.began == 0


async def test_after_a_workers_death_what_cannot_be_marked_is_held_though_it_would_be_put_off(
    start, lane, neighbours, dead_worker, cache
):
    message = notification()
    await dead_worker.apply(message, "", version=1, on_unknown="hold")
    await dead_worker.close()
    neighbours.away = True
    await ProfileCache(cache).forget(1, 1)
    worker = await start(channel=Letters(on_unknown="hold"))
    await lane.put(message)
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "outcome_unknown"
    assert worker.post.began == 0


async def test_half_told_devices_wait_for_whoever_knows_the_others(
    start, lane, now_is, neighbours, dead_worker, cache, monkeypatch
):
    monkeypatch.setattr(pipeline, "_LATER_SECONDS", 0.1)
    await now_is(Profile(user_id=1, version=3, devices=(PHONE, TABLET)))
    message = notification()
    await dead_worker.apply(message, "phone", version=3, on_unknown="resend")
    await dead_worker.close()
    neighbours.away = True
    await ProfileCache(cache).forget(1, 3)
    worker = await start()
    await lane.put(message)
    asked = neighbours.asked["profiles"]
    await until(lambda: neighbours.asked["profiles"] > asked + 2)
    assert worker.post.began == 0
    neighbours.away = False
    reports = [await lane.report() for _ in range(3)]
    assert {(r.device, r.status, r.hop) for r in reports if r.partial} == {
        ("phone", Status.SENT, 1),
        ("tablet", Status.SENT, 1),
    }
    assert sorted(address for address, _ in worker.post.sent) == [PHONE.value, TABLET.value]


async def test_a_message_that_its_workers_die_over_is_given_up(start, lane, dead_worker):
    message = notification()
    for _ in range(2):
        await dead_worker.apply(message, "", version=1, on_unknown="resend")
    await dead_worker.close()
    worker = await start(max_retry_attempts=1)
    await lane.put(message)
    dead = await lane.dead_letter()
    assert dead.headers[REASON_HEADER] == "outcome_unknown"
    assert worker.post.began == 0
