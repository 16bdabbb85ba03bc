"""What is away costs time, and loses nothing."""

import asyncio

from shared.errors import (
    ProviderUnavailable,
)
from shared.schemas.vocabulary import Status
from tests.shared.broker import notification, until
from tests.shared.delivery.worker import Letters, Post, Worker


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
