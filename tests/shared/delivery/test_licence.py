"""The licence, on a real Redis."""

import asyncio
from uuid import uuid4

import pytest

from shared.cache import Cache, ProfileCache
from shared.delivery import licence, recollection
from shared.delivery.cancelled import CancelledBatches
from shared.delivery.claims import (
    CLAIM_TTL_SECONDS,
    Claims,
    ClaimState,
    claim_key,
    lease_key,
)
from shared.delivery.licence import Licences
from shared.delivery.outcome import Dead, Retry, Sent, Skipped
from shared.delivery.recollection import Recollection
from shared.errors import CacheUnavailable
from shared.schemas.profile import Profile
from tests.shared.broker import notification, until

ADA = Profile(user_id=1, version=7)
SENT = Sent(provider="smtp", message_id="m1")
SKIPPED = Skipped(reason="channel_disabled")
RETRY = Retry(after=2.0)


@pytest.fixture
async def profiles(cache):
    cached = ProfileCache(cache)
    await cached.put_many([ADA])
    return cached


@pytest.fixture
async def worker(cache, profiles):
    async with opened(cache) as licences:
        yield licences


@pytest.fixture
async def other(cache, profiles):
    async with opened(cache) as licences:
        yield licences


class opened:  # noqa: N801 - reads as a function
    def __init__(self, cache) -> None:
        self.licences = Licences(cache)

    async def __aenter__(self) -> Licences:
        await self.licences.open()
        return self.licences

    async def __aexit__(self, *_: object) -> None:
        await self.licences.close()


async def apply(licences, message, device="", *, version=7, on_unknown="resend"):
    return await licences.apply(message, device, version=version, on_unknown=on_unknown)


async def test_the_first_to_ask_may_send(worker):
    ruling = await apply(worker, notification())
    assert (ruling.verdict, ruling.takes) == ("granted", 1)


@pytest.mark.parametrize("version", [6, 8, 70])
async def test_a_profile_of_another_version_is_decided_on_again(worker, version):
    message = notification()
    assert (await apply(worker, message, version=version)).verdict == "stale"
    assert (await apply(worker, message)).verdict == "granted", "nothing was claimed meanwhile"


async def test_nothing_of_a_cancelled_batch_may_be_sent(worker, cache):
    cancelled, other = notification(batch_id=uuid4()), notification(batch_id=uuid4())
    begun = notification(batch_id=cancelled.batch_id)
    assert (await apply(worker, begun)).verdict == "granted"
    await worker.settle([(begun, "", SENT)])
    await CancelledBatches(cache).tell(cancelled.batch_id)
    assert (await apply(worker, cancelled)).verdict == "cancelled"
    assert (await apply(worker, other)).verdict == "granted"
    assert (await apply(worker, begun)).outcome == SENT, "what went out stays so"


async def test_a_deleted_or_unknown_profile_is_stale(worker, profiles):
    assert (await apply(worker, notification(user_id=2))).verdict == "stale"
    await profiles.forget(1, 8)
    assert (await apply(worker, notification())).verdict == "stale"


async def test_what_another_worker_sends_is_busy(worker, other):
    message = notification()
    await apply(worker, message)
    assert (await apply(other, message)).verdict == "busy"


async def test_what_is_settled_comes_with_its_outcome(worker, other):
    message = notification()
    await apply(worker, message)
    await worker.settle([(message, "", SENT)])
    for asking in (worker, other):
        ruling = await apply(asking, message, version=99)
        assert (ruling.verdict, ruling.outcome) == ("settled", SENT)


async def test_hops_generations_and_devices_are_deliveries_of_their_own(worker, other):
    message = notification()
    await apply(worker, message, "phone")
    again = [
        (message, "tablet"),
        (message.next_hop(), "phone"),
        (message.model_copy(update={"generation": 2}), "phone"),
    ]
    for delivery, device in again:
        assert (await apply(other, delivery, device)).verdict == "granted"


async def test_after_a_workers_end_its_sends_are_taken_over(worker, other):
    message = notification()
    await apply(worker, message)
    await worker.close()
    ruling = await apply(other, message)
    assert (ruling.verdict, ruling.takes) == ("granted", 2)


async def test_after_a_workers_end_its_sends_are_held_where_nothing_marks_a_repeat(worker, other):
    message = notification()
    await apply(worker, message, on_unknown="hold")
    await worker.close()
    assert (await apply(other, message, on_unknown="hold")).verdict == "unknown"


async def test_a_worker_does_not_know_its_own_unrecorded_send_either(worker):
    message = notification()
    await apply(worker, message, on_unknown="hold")
    assert (await apply(worker, message, on_unknown="hold")).verdict == "unknown"
    assert (await apply(worker, message, on_unknown="resend")).takes == 2


async def test_a_worker_that_was_killed_is_noticed_by_its_lease(cache, other, monkeypatch):
    monkeypatch.setattr(licence, "LEASE_SECONDS", 0.1)
    killed = Licences(cache)
    await killed._renew()
    message = notification()
    await apply(killed, message)

    async def taken_over() -> bool:
        return (await apply(other, message)).verdict == "granted"

    await until(taken_over)


async def test_a_living_worker_keeps_its_lease(cache, other, profiles, monkeypatch):
    monkeypatch.setattr(licence, "_RENEW_SECONDS", 0.02)
    async with opened(cache) as living:
        message = notification()
        await apply(living, message)
        lease = lease_key(cache, living._owner)
        await cache.command("PEXPIRE", lease, 5000)

        async def is_renewed() -> bool:
            return await cache.command("PTTL", lease) > 5000

        await until(is_renewed)
        assert (await apply(other, message)).verdict == "busy"


async def test_a_first_send_lends_its_worker_a_lease_whatever_became_of_the_last(cache, other):
    """A worker that was frozen for long, or began while Redis was away, has none."""
    woken = Licences(cache)
    message = notification()
    assert (await apply(woken, message)).verdict == "granted"
    assert (await apply(other, message)).verdict == "busy"


async def test_what_was_settled_first_stands_and_a_receipt_is_never_withheld(worker, other):
    message = notification()
    await apply(worker, message)
    assert await other.settle([(message, "", RETRY)]) == [RETRY]
    assert await worker.settle([(message, "", Dead(reason="internal_error"))]) == [RETRY]
    assert await worker.settle([(message, "", SENT)]) == [SENT]
    assert (await apply(other, message)).outcome == RETRY


async def test_a_new_message_has_nothing_to_recall(worker):
    assert await worker.recall(notification()) == Recollection({}, is_whole=False)


async def test_a_hop_is_recalled_with_all_that_is_known_of_it(worker, other):
    message = notification()
    await apply(worker, message, "phone")
    await worker.settle([(message, "phone", SENT), (message, "tablet", SKIPPED)])
    known = {"phone": SENT, "tablet": SKIPPED}
    assert await other.recall(message) == Recollection(known, is_whole=True)
    assert not (await other.recall(message.next_hop())).outcomes


async def test_a_send_that_a_worker_died_over_is_recalled_as_unknown(worker, other):
    message = notification()
    await apply(worker, message, "phone")
    await worker.close()
    assert await other.recall(message) == Recollection({"phone": None}, is_whole=False)


async def test_recalling_waits_for_whoever_sends_at_this_moment(worker, other, monkeypatch):
    monkeypatch.setattr(recollection, "BUSY_SECONDS", 0.01)
    message = notification()
    await apply(worker, message)
    recalling = asyncio.create_task(other.recall(message))
    await asyncio.sleep(0.05)
    assert not recalling.done()
    await worker.settle([(message, "", SENT)])
    assert (await recalling).outcomes == {"": SENT}


async def test_a_hop_that_ended_before_any_device_was_known_ended_for_all(worker, other):
    message = notification()
    await worker.settle([(message, "", RETRY)])
    for asking in (worker, other):
        ruling = await apply(asking, message, "phone")
        assert (ruling.verdict, ruling.outcome, ruling.device) == ("settled", RETRY, "")


async def test_an_outcome_that_nobody_can_read_is_its_own_messages_trouble(cache, worker):
    strange, message = notification(), notification()
    key = claim_key(cache, strange)
    await cache.command("HSET", key, "state:", "settled", "outcome:", "of a later version")
    asking = (apply(worker, strange), apply(worker, message))
    first, second = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(first, ValueError)
    assert second.verdict == "granted"
    asking = (worker.recall(strange), worker.recall(message))
    first, second = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(first, ValueError)
    assert second.outcomes == {"": None}
    assert await worker.settle([(strange, "", RETRY), (message, "", SENT)]) == [RETRY, SENT]
    states = await Claims(cache).states([strange, message])
    assert states == [ClaimState.TOLD, ClaimState.TOLD]


async def test_many_at_once_are_each_granted_once(worker, other):
    messages = [notification() for _ in range(200)]
    rulings = await asyncio.gather(*(apply(w, m) for m in messages for w in (worker, other)))
    verdicts = [ruling.verdict for ruling in rulings]
    assert (verdicts.count("granted"), verdicts.count("busy")) == (200, 200)


async def test_without_redis_nothing_is_claimed_and_nothing_waits():
    away = Cache("redis://127.0.0.1:1/0", timeout=0.2)
    async with opened(away) as licences:
        message = notification()
        assert (await apply(licences, message)).verdict == "unclaimed"
        assert not (await licences.recall(message)).outcomes
        with pytest.raises(CacheUnavailable):
            await licences.settle([(message, "", SENT)])
    await away.close()


async def test_every_claim_ends_by_itself(cache, worker):
    await apply(worker, message := notification())
    ttl = await cache.command("TTL", claim_key(cache, message))
    assert 0 < ttl <= CLAIM_TTL_SECONDS
