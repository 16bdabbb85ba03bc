"""What a worker settled while Redis was away is not forgotten: by itself at once, by all later."""

import pytest

from shared.cache import Cache, ProfileCache
from shared.delivery import licence
from shared.delivery.licence import Licences
from shared.delivery.memory import MOST_LATEST, MOST_OWED, Memory
from shared.delivery.outcome import Sent
from shared.errors import CacheUnavailable
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Status
from tests.proxy import proxied
from tests.shared.broker import notification, until

SENT = Sent(provider="smtp", message_id="m1")


@pytest.fixture
async def proxy_and_worker(cache, redis_url, monkeypatch):
    """A worker's licences on a Redis that the test can take away from it alone."""
    monkeypatch.setattr(licence, "_RENEW_SECONDS", 0.05)
    await ProfileCache(cache).put_many([Profile(user_id=1, version=7)])
    async with proxied(redis_url) as (proxy, through):
        reached = Cache(through, timeout=10.0)
        await reached.open()
        licences = Licences(reached)
        await licences.open()
        yield proxy, licences
        await licences.close()
        await reached.close()


async def apply(licences: Licences, message):
    return await licences.apply(message, "", version=7, on_unknown="resend")


async def is_settled(licences: Licences, message) -> bool:
    return (await apply(licences, message)).verdict == "settled"


async def is_reached(licences: Licences) -> bool:
    """For a second after a failure nobody asks Redis."""
    return (await apply(licences, notification())).verdict != "unclaimed"


async def settled_without_redis(proxy, licences: Licences, message) -> None:
    proxy.cut()
    with pytest.raises(CacheUnavailable):
        await licences.settle([(message, "", SENT)])


async def test_it_recognises_what_it_settled_before_redis_went_away(proxy_and_worker):
    proxy, worker = proxy_and_worker
    message = notification()
    await apply(worker, message)
    await worker.settle([(message, "", SENT)])
    proxy.cut()
    ruling = await apply(worker, message)
    assert (ruling.verdict, ruling.outcome) == ("settled", SENT)
    assert (await worker.recall(message)).outcomes == {"": SENT}
    assert (await apply(worker, notification())).verdict == "unclaimed"


async def test_it_recognises_what_it_settled_while_redis_was_away(proxy_and_worker):
    proxy, worker = proxy_and_worker
    message = notification()
    await apply(worker, message)
    await settled_without_redis(proxy, worker, message)
    assert (await apply(worker, message)).outcome == SENT
    recollection = await worker.recall(message)
    assert (recollection.outcomes, recollection.is_whole) == ({"": SENT}, True)


async def test_what_it_put_off_for_all_devices_is_put_off_for_each(proxy_and_worker):
    proxy, worker = proxy_and_worker
    before, meanwhile = notification(), notification()
    await worker.settle([(before, "", SENT)])
    await settled_without_redis(proxy, worker, meanwhile)
    for message in (before, meanwhile):
        ruling = await worker.apply(message, "phone", version=7, on_unknown="resend")
        assert (ruling.verdict, ruling.outcome, ruling.device) == ("settled", SENT, "")


async def test_others_learn_of_it_when_redis_is_back(proxy_and_worker, cache):
    """Else they would wait for a worker that lives and has long been done."""
    proxy, worker = proxy_and_worker
    message = notification()
    await apply(worker, message)
    await settled_without_redis(proxy, worker, message)
    other = Licences(cache)
    assert (await apply(other, message)).verdict == "busy"
    proxy.restore()
    await until(lambda: is_settled(other, message))
    assert (await apply(other, message)).outcome == SENT


async def test_a_worker_that_ends_tells_what_it_owes(proxy_and_worker, cache, monkeypatch):
    proxy, worker = proxy_and_worker
    monkeypatch.setattr(licence, "_RENEW_SECONDS", 3600)
    message = notification()
    await apply(worker, message)
    await settled_without_redis(proxy, worker, message)
    proxy.restore()
    await until(lambda: is_reached(worker))
    await worker.close()
    assert (await apply(Licences(cache), message)).outcome == SENT


async def test_a_copy_that_comes_while_redis_is_away_is_not_sent_again(start, lane, redis_url):
    async with proxied(redis_url) as (proxy, through):
        worker = await start(redis_url=through)
        message = notification()
        await lane.put(message)
        first = await lane.report()
        proxy.cut()
        await lane.put(message)
        assert (await lane.report()).event_id == first.event_id
        assert len(worker.post.sent) == 1
        await lane.put(notification())
        await until(lambda: len(worker.post.sent) == 2)
        assert (await lane.report()).status is Status.SENT


def test_it_remembers_a_bounded_number():
    memory = Memory()
    count = MOST_OWED + 1
    memory.keep((f"claim-{n}", "", SENT) for n in range(count))
    memory.owe((f"claim-{n}", "", SENT) for n in range(count))
    assert len(memory._latest) == MOST_LATEST
    assert memory.known(f"claim-{count - 1}") == {"": SENT}, "the latest are known"
    assert memory.owed("claim-0") == {"": SENT}, "the oldest are owed"
    assert memory.owed(f"claim-{count - 1}") == {}


def test_what_is_paid_is_owed_no_more_and_several_devices_stay_together():
    memory = Memory()
    memory.owe([("claim", "phone", SENT), ("claim", "tablet", SENT), ("other", "", SENT)])
    assert memory.owed("claim") == {"phone": SENT, "tablet": SENT}
    memory.paid(memory.next_owed())
    assert (memory.next_owed(), memory.owed("claim"), memory.known("other")) == ([], {}, {})
