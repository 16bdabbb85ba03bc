"""The whole way of a message through a worker, on real RabbitMQ and Redis."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
import redis

from shared.cache import ProfileCache
from shared.cache.profiles import profile_key
from shared.delivery.licence import Licences
from shared.errors import (
    OutcomeUnknown,
    ProviderDeclined,
    ProviderUnavailable,
    RecipientRejected,
    TokenInvalid,
)
from shared.messaging.addressed import (
    OUTCOME_HEADER,
    REASON_HEADER,
    read_notification,
    read_outcomes,
    to_lane,
)
from shared.schemas.profile import Profile, PushTarget
from shared.schemas.vocabulary import Channel, Reason, Status
from shared.schemas.wire import OutcomeReport
from tests.shared.broker import notification, until
from tests.shared.delivery.worker import Letters, Post, Worker, WorkerSettings


@pytest.fixture
def settings(broker, neighbours, redis_url, internal_token):
    """Settings of a worker whose breaker opens and recovers quickly."""

    def make(**changes) -> WorkerSettings:
        usual = {
            "rabbitmq_url": broker.url,
            "redis_url": redis_url,
            "internal_service_token": internal_token,
            "user_service_url": neighbours.url,
            "template_service_url": neighbours.url,
            "circuit_breaker_failure_threshold": 3,
            "circuit_breaker_recovery_timeout": 0.2,
        }
        return WorkerSettings(**{**usual, **changes})

    return make


@pytest.fixture
async def start(settings):
    """Starts a worker that runs until the test's end; what it is made of can be changed."""
    async with AsyncExitStack() as running:

        async def started(channel=None, post=None, **changes) -> Worker:
            worker = Worker(channel or Letters(), post or Post(), settings(**changes))
            return await running.enter_async_context(worker.running())

        yield started


class Lane:
    """Puts messages into the worker's lane and reads what comes out."""

    def __init__(self, broker) -> None:
        self._broker = broker
        self._reports: list[OutcomeReport] = []

    async def put(self, message) -> None:
        outgoing = to_lane(message)
        await self._broker.put(outgoing.routing_key, outgoing.body)

    async def report(self) -> OutcomeReport:
        while not self._reports:
            batch = await self._broker.take("status.queue")
            self._reports += read_outcomes(batch.body).reports
        return self._reports.pop(0)

    async def dead_letter(self):
        return await self._broker.take("failed.queue")

    async def waiting(self, queue: str = "email.queue") -> int:
        return await self._broker.count(queue)


@pytest.fixture
def lane(broker) -> Lane:
    return Lane(broker)


async def test_a_message_is_sent_once_and_told_of(start, lane):
    worker = await start()
    message = notification()
    await lane.put(message)
    report = await lane.report()
    assert report.status is Status.SENT
    assert (report.provider, report.provider_message_id) == ("post", "receipt-1")
    assert worker.post.sent == [("ada@example.com", "Good evening, Ada!")]
    assert worker.post.keys == [f"{message.id}.1"]


async def test_every_lane_is_served(start, lane):
    worker = await start()
    for priority in ("critical", "normal", "low"):
        await lane.put(notification(priority=priority))
        assert (await lane.report()).status is Status.SENT
    assert len(worker.post.sent) == 3


async def test_many_messages_share_look_ups(start, lane, neighbours):
    worker = await start()
    for _ in range(100):
        await lane.put(notification())
    statuses = [(await lane.report()).status for _ in range(100)]
    assert statuses == [Status.SENT] * 100
    assert len(worker.post.sent) == 100
    assert neighbours.asked["profiles"] < 20
    assert neighbours.asked["contents"] < 20


async def test_a_declined_message_comes_back_through_its_tier(start, lane):
    worker = await start(post=Post({"*": [ProviderDeclined("greylisted")]}))
    message = notification()
    await lane.put(message)
    retrying = await lane.report()
    assert (retrying.status, retrying.attempt, retrying.hop) == (Status.RETRYING, 1, 1)
    assert retrying.detail == "greylisted"
    assert retrying.provider == "post"
    sent = await lane.report()
    assert (sent.status, sent.attempt, sent.hop) == (Status.SENT, 2, 2)
    assert worker.post.keys == [f"{message.id}.1"] * 2, "every attempt carries the same key"


async def test_a_refused_message_goes_to_the_dead_letters(start, lane):
    await start(post=Post({"*": [RecipientRejected("no such mailbox")]}))
    message = notification()
    await lane.put(message)
    dead = await lane.dead_letter()
    assert read_notification(dead.body) == message
    assert dead.headers[REASON_HEADER] == "recipient_rejected"
    report = OutcomeReport.model_validate_json(dead.headers[OUTCOME_HEADER])
    assert (report.status, report.detail) == (Status.FAILED, "no such mailbox")


async def test_after_the_last_attempt_it_goes_to_the_dead_letters(start, lane):
    await start(post=Post({"*": [ProviderDeclined("later")]}))
    await lane.put(notification(attempt=4))
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "retries_exhausted"


async def test_a_bug_is_retried_and_then_told(start, lane):
    await start(post=Post({"*": [ZeroDivisionError(), ZeroDivisionError()]}))
    await lane.put(notification())
    assert (await lane.report()).status is Status.RETRYING
    await lane.put(notification(attempt=4))
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "internal_error"


async def test_without_a_provider_the_lane_pauses_and_loses_nothing(start, lane):
    post = Post(away=ProviderUnavailable("away"))
    worker = await start(post=post)
    messages = [notification() for _ in range(20)]
    for message in messages:
        await lane.put(message)
    deferred = {}
    while len(deferred) < 2:
        report = await lane.report()
        assert report.status is Status.DEFERRED
        assert report.onward is not None
        assert (report.onward.attempt, report.onward.waits) == (1, 1)
        assert report.due is not None
        deferred[report.notification_id] = report.onward
    post.away = None
    sent = set()
    while len(sent) + len(deferred) < len(messages):
        report = await lane.report()
        if report.status is Status.SENT:
            sent.add(report.notification_id)
        else:
            deferred[report.notification_id] = report.onward
    assert sent | deferred.keys() == {message.id for message in messages}
    for onward in deferred.values():
        await lane.put(onward)
    for _ in deferred:
        assert (await lane.report()).status is Status.SENT
    assert len(worker.post.sent) == len(messages)


async def test_while_it_is_paused_messages_stay_in_their_queue(start, lane):
    post = Post(away=ProviderUnavailable("away"))
    await start(post=post, circuit_breaker_failure_threshold=1)
    await lane.put(notification())
    await lane.put(notification())
    assert await lane.waiting() == 2
    assert post.began == 0, "the first look was enough to know"
    post.away = None
    assert [(await lane.report()).status for _ in range(2)] == [Status.SENT] * 2


async def test_a_copy_is_told_of_again_and_not_sent_again(start, lane):
    worker = await start()
    message = notification()
    await lane.put(message)
    first = await lane.report()
    await lane.put(message)
    second = await lane.report()
    assert second.event_id == first.event_id
    assert second.provider_message_id == first.provider_message_id
    assert len(worker.post.sent) == 1


async def test_two_copies_at_once_make_one_send(start, lane):
    worker = await start()
    await start(post=worker.post)
    message = notification()
    await asyncio.gather(*(lane.put(message) for _ in range(6)))
    reports = [await lane.report() for _ in range(6)]
    assert {report.event_id for report in reports} == {reports[0].event_id}
    assert len(worker.post.sent) == 1


@pytest.fixture
async def half_sent(cache):
    """A message whose worker died between the provider's acceptance and its record."""
    await ProfileCache(cache).put_many([Profile(user_id=1, version=1, email="ada@example.com")])
    message = notification()
    dead = Licences(cache)
    await dead.apply(message, "", version=1, on_unknown="resend")
    return message


async def test_after_a_workers_death_a_marked_repeat_goes_out(start, lane, half_sent):
    worker = await start()
    await lane.put(half_sent)
    report = await lane.report()
    assert report.status is Status.SENT
    assert report.detail is not None
    assert "sent again" in report.detail
    assert worker.post.keys == [f"{half_sent.id}.1"]


async def test_after_a_workers_death_what_cannot_be_marked_is_held(start, lane, half_sent):
    worker = await start(channel=Letters(on_unknown="hold"))
    await lane.put(half_sent)
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "outcome_unknown"
    assert worker.post.sent == []


async def test_an_unknown_outcome_spends_an_attempt(start, lane):
    await start(post=Post({"*": [OutcomeUnknown("silence")]}))
    await lane.put(notification())
    assert (await lane.report()).status is Status.RETRYING
    assert (await lane.report()).attempt == 2


async def test_invariant_a_preference_is_obeyed_up_to_the_licence(
    start, lane, neighbours, cache, redis_url
):
    """Invariant: no send begins on a profile that a returned call has replaced."""
    changed = neighbours.profiles[1].model_copy(
        update={"version": 2, "enabled": frozenset({Channel.SMS})}
    )

    def switch_email_off() -> None:
        """All in one turn of the loop: after the decision, before the licence."""
        neighbours.profiles[1] = changed
        with redis.Redis.from_url(redis_url) as client:
            client.set(profile_key(cache, 1), f"2|{changed.model_dump_json()}", px=30_000)

    worker = await start(channel=Letters(before_sending=switch_email_off))
    await lane.put(notification())
    report = await lane.report()
    assert (report.status, report.reason) == (Status.SKIPPED, Reason.CHANNEL_DISABLED)
    assert worker.post.began == 0


async def test_a_changed_address_is_used_even_when_it_was_composed_before(
    start, lane, neighbours, cache
):
    worker = await start()
    await lane.put(notification())
    await lane.report()
    moved = neighbours.profiles[1].model_copy(update={"version": 2, "email": "new@example.com"})
    neighbours.profiles[1] = moved
    await ProfileCache(cache).put_many([moved])
    await lane.put(notification())
    await lane.report()
    assert [address for address, _ in worker.post.sent] == ["ada@example.com", "new@example.com"]


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


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user_id": 99}, Reason.USER_NOT_FOUND),
        ({"template_id": "unknown"}, Reason.TEMPLATE_NOT_FOUND),
        ({"variables": {}}, Reason.MISSING_VARIABLE),
    ],
)
async def test_what_cannot_be_delivered_says_why(start, lane, change, reason):
    worker = await start()
    await lane.put(notification(**change))
    assert (await lane.dead_letter()).headers[REASON_HEADER] == reason
    assert worker.post.began == 0


async def test_what_came_too_late_is_not_sent(start, lane):
    worker = await start()
    await lane.put(notification(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    report = await lane.report()
    assert (report.status, report.reason) == (Status.EXPIRED, Reason.EXPIRED)
    assert worker.post.began == 0


async def test_a_test_keys_message_meets_no_provider(start, lane):
    worker = await start()
    await lane.put(notification(mode="test"))
    report = await lane.report()
    assert (report.status, report.provider) == (Status.SENT, "simulated")
    assert worker.post.began == 0


async def test_a_neighbour_that_is_away_costs_time_only(start, lane, neighbours):
    neighbours.away = True
    await start()
    await lane.put(notification())
    report = await lane.report()
    assert report.status is Status.DEFERRED
    assert report.onward is not None
    neighbours.away = False
    await lane.put(report.onward)
    assert (await lane.report()).status is Status.SENT


async def test_without_redis_messages_go_out_unclaimed(start, lane):
    worker = await start(redis_url="redis://127.0.0.1:1/0")
    await lane.put(notification())
    assert (await lane.report()).status is Status.SENT
    assert len(worker.post.sent) == 1


async def test_noise_goes_to_the_dead_letters_byte_for_byte(start, broker, lane):
    await start()
    for noise in (b"{", b"\xff" * 1_000_000):
        await broker.put("email", noise)
        dead = await lane.dead_letter()
        assert dead.body == noise
        assert dead.headers[REASON_HEADER] == "unreadable_message"
    await lane.put(notification())
    assert (await lane.report()).status is Status.SENT


async def test_a_newer_contract_version_goes_back_to_the_queue(settings, broker, lane):
    worker = Worker(Letters(), Post(), settings())
    async with worker.running():
        await lane.put(notification(version=99))
        await lane.put(notification())
        assert (await lane.report()).status is Status.SENT, "it holds nobody up"
    assert worker.post.began == 1
    assert await lane.waiting() == 1
    assert await broker.count("failed.queue") == 0


async def test_closing_finishes_what_is_in_hand(settings, lane):
    worker = Worker(Letters(), Post(), settings())
    worker.post.may_go_on.clear()
    running = worker.running()
    await running.__aenter__()
    await lane.put(notification())
    await until(lambda: worker.post.began == 1)
    closing = asyncio.create_task(running.__aexit__(None, None, None))
    await until(lambda: worker.is_closing)
    worker.post.may_go_on.set()
    await closing
    assert (await lane.report()).status is Status.SENT
    assert await lane.waiting() == 0


@pytest.mark.parametrize("link", ["worker-consuming", "worker-publishing"])
async def test_a_connection_lost_while_sending_repeats_nothing(start, broker, lane, link):
    worker = await start()
    worker.post.may_go_on.clear()
    await lane.put(notification())
    await until(lambda: worker.post.began == 1)
    await broker.force_close(link)
    worker.post.may_go_on.set()
    assert (await lane.report()).status is Status.SENT
    await lane.put(notification())
    await until(lambda: len(worker.post.sent) == 2)
    assert worker.post.began == 2
