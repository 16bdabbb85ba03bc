import asyncio
import time

import pytest

from shared.errors import BrokerUnavailable
from shared.messaging import Consumer, Delivery, Link, consumer
from tests.proxy import proxied
from tests.shared.broker import until

QUEUE = "email.queue"


class Desk:
    """A handler that notes what it was handed and does with it what the test says."""

    def __init__(self) -> None:
        self.handed: list[Delivery] = []
        self.finished = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.release = False
        self.fails = 0
        self.begins = True

    async def __call__(self, delivery: Delivery) -> None:
        self.handed.append(delivery)
        if self.begins:
            delivery.begin()
        if self.fails:
            self.fails -= 1
            raise RuntimeError("a bug, made on purpose")
        await self.may_go_on.wait()
        delivery.release() if self.release else delivery.ack()
        self.finished += 1


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def consuming(link, desk):
    consumer = Consumer(link, QUEUE, desk, prefetch=10)
    await consumer.open()
    yield consumer
    await consumer.close()


async def has(broker, count: int) -> bool:
    return await broker.count(QUEUE) == count


def is_consuming(consumer: Consumer):
    async def check() -> bool:
        try:
            await consumer.ping()
        except BrokerUnavailable:
            return False
        return True

    return check


async def test_what_is_acked_is_gone(broker, consuming, desk):
    await broker.put("email", b"one")
    await until(lambda: desk.finished == 1)
    assert desk.handed[0].body == b"one"
    await consuming.close()
    assert await broker.count(QUEUE) == 0


async def test_what_is_released_comes_again(broker, consuming, desk):
    desk.release = True
    await broker.put("email", b"one")
    await until(lambda: desk.finished >= 2)
    assert desk.handed[1].redelivered
    desk.release = False
    done = desk.finished
    await until(lambda: desk.finished > done)


async def test_no_more_than_the_prefetch_are_in_hand(broker, consuming, desk):
    desk.may_go_on.clear()
    for _ in range(15):
        await broker.put("email", b"one")
    await until(lambda: len(desk.handed) == 10)
    assert await broker.count(QUEUE) == 5
    desk.may_go_on.set()
    await until(lambda: desk.finished == 15)


async def test_paused_it_leaves_messages_where_they_are(broker, consuming, desk):
    await until(is_consuming(consuming))
    consuming.pause()
    await until(lambda: not consuming._consuming)
    await broker.put("email", b"one")
    assert await broker.count(QUEUE) == 1
    await consuming.ping()
    consuming.resume()
    await until(lambda: desk.finished == 1)


async def test_a_pause_lets_what_is_in_hand_finish(broker, consuming, desk):
    desk.may_go_on.clear()
    await broker.put("email", b"one")
    await until(lambda: len(desk.handed) == 1)
    consuming.pause()
    desk.may_go_on.set()
    await until(lambda: desk.finished == 1)
    await until(lambda: not consuming._consuming)
    assert await broker.count(QUEUE) == 0


async def test_draining_finishes_what_has_begun_and_returns_the_rest_at_once(
    broker, consuming, desk
):
    desk.may_go_on.clear()
    await broker.put("email", b"begun")
    await until(lambda: len(desk.handed) == 1)
    desk.begins = False
    for _ in range(5):
        await broker.put("email", b"waiting")
    await until(lambda: len(desk.handed) == 6)
    draining = asyncio.create_task(consuming.drain())
    await until(lambda: has(broker, 5))
    assert not draining.done()
    await broker.put("email", b"too late")
    desk.may_go_on.set()
    await draining
    assert desk.finished == 1
    await consuming.close()
    assert await broker.count(QUEUE) == 6


async def test_a_pause_returns_what_has_not_begun(broker, consuming, desk):
    desk.may_go_on.clear()
    desk.begins = False
    await broker.put("email", b"one")
    await until(lambda: len(desk.handed) == 1)
    consuming.pause()
    await until(lambda: has(broker, 1))
    desk.may_go_on.set()
    consuming.resume()
    await until(lambda: desk.finished == 1)


async def test_more_go_back_at_once_than_the_connection_has_room_for(broker, link, desk):
    count = 100
    desk.may_go_on.clear()
    consuming = Consumer(link, QUEUE, desk, prefetch=count)
    for number in range(count):
        await broker.put("email", b"%d" % number)
    await consuming.open()
    await until(lambda: len(desk.handed) == count)
    consuming.pause()
    await until(lambda: not consuming._consuming)
    for delivery in desk.handed:
        delivery.release()
        delivery.release()
    await until(lambda: has(broker, count))
    desk.may_go_on.set()
    await consuming.close()


async def test_what_is_not_finished_goes_back_at_the_end(broker, consuming, desk):
    desk.may_go_on.clear()
    await broker.put("email", b"one")
    await until(lambda: len(desk.handed) == 1)
    await consuming.close()
    await until(lambda: has(broker, 1))
    assert desk.finished == 0


@pytest.mark.parametrize("go_away", ["cut", "freeze"])
async def test_without_rabbitmq_it_ends_in_time_too(broker, desk, go_away):
    async with proxied(broker.url) as (proxy, through):
        link = Link(through, "proxied", essential=True)
        await link.open()
        consumer = Consumer(link, QUEUE, desk, prefetch=10)
        await consumer.open()
        desk.may_go_on.clear()
        await broker.put("email", b"one")
        await until(lambda: len(desk.handed) == 1)
        getattr(proxy, go_away)()
        desk.may_go_on.set()
        started = time.monotonic()
        await consumer.drain()
        await consumer.close()
        await link.close()
        assert time.monotonic() - started < 8
    assert desk.finished == 1


async def test_a_bug_in_a_handler_loses_nothing(broker, consuming, desk, monkeypatch):
    monkeypatch.setattr(consumer, "_RETRY_SECONDS", 0.05)
    desk.fails = 2
    await broker.put("email", b"one")
    await until(lambda: desk.finished == 1)
    assert len(desk.handed) == 3


async def test_after_rabbitmq_closed_the_connection_it_consumes_again(broker, consuming, desk):
    await broker.put("email", b"one")
    await until(lambda: desk.finished == 1)
    await broker.force_close("test")
    await broker.put("email", b"two")
    await until(lambda: any(delivery.body == b"two" for delivery in desk.handed))
    await until(is_consuming(consuming))


async def test_what_was_in_hand_at_a_loss_comes_again(broker, consuming, desk):
    desk.may_go_on.clear()
    await broker.put("email", b"one")
    await until(lambda: len(desk.handed) == 1)
    await broker.force_close("test")
    desk.may_go_on.set()
    await until(lambda: len(desk.handed) >= 2)
    assert desk.handed[1].redelivered
