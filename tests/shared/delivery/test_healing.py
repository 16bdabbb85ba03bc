"""A worker whose engines go away and come back: it heals by itself."""

import asyncio

import pytest

from shared.schemas.vocabulary import Status
from tests.proxy import proxied
from tests.shared.broker import notification, until
from tests.shared.delivery.worker import Letters, Post, Worker


@pytest.mark.parametrize("go_away", ["cut", "freeze"])
@pytest.mark.parametrize("engine", ["rabbitmq_url", "redis_url"])
async def test_after_an_engine_is_back_everything_goes_on(
    start, settings, broker, lane, engine, go_away
):
    async with proxied(getattr(settings(), engine).get_secret_value()) as (proxy, through):
        worker = await start(**{engine: through}, grace_seconds=2.0)
        await lane.put(notification())
        assert (await lane.report()).status is Status.SENT
        getattr(proxy, go_away)()
        waiting = [notification() for _ in range(5)]
        for message in waiting:
            await lane.put(message)
        if engine == "redis_url":
            # Without claims, but not without emails.
            assert [(await lane.report()).status for _ in waiting] == [Status.SENT] * 5
        proxy.restore()
        if engine == "rabbitmq_url":
            assert [(await lane.report()).status for _ in waiting] == [Status.SENT] * 5
        await lane.put(notification())
        assert (await lane.report()).status is Status.SENT
        assert len(worker.post.sent) == 7
        assert await broker.count("failed.queue") == 0


@pytest.mark.parametrize("go_away", ["cut", "freeze"])
async def test_what_is_being_sent_when_rabbitmq_goes_is_told_when_it_is_back(
    start, settings, lane, go_away
):
    async with proxied(settings().rabbitmq_url.get_secret_value()) as (proxy, through):
        worker = await start(rabbitmq_url=through, grace_seconds=2.0)
        worker.post.may_go_on.clear()
        await lane.put(notification())
        await until(lambda: worker.post.began == 1)
        getattr(proxy, go_away)()
        worker.post.may_go_on.set()
        await until(lambda: len(worker.post.sent) == 1)
        proxy.restore()
        assert (await lane.report()).status is Status.SENT
        assert worker.post.began == 1


async def test_a_worker_that_ends_without_rabbitmq_neither_hangs_nor_repeats(start, settings, lane):
    """The claim is settled: whoever gets the message next tells what became of it."""
    async with proxied(settings().rabbitmq_url.get_secret_value()) as (proxy, through):
        worker = Worker(Letters(), Post(), settings(rabbitmq_url=through, grace_seconds=2.0))
        worker.post.may_go_on.clear()
        async with asyncio.timeout(20):
            async with worker.running():
                await lane.put(notification())
                await until(lambda: worker.post.began == 1)
                proxy.cut()
                worker.post.may_go_on.set()
                await until(lambda: len(worker.post.sent) == 1)
        successor = await start()
        assert (await lane.report()).status is Status.SENT
        assert successor.post.began == 0
