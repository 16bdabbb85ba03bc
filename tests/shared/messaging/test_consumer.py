import asyncio

import pytest

from shared.errors import BrokerUnavailable
from shared.messaging import Consumer, Delivery, consumer
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

    async def __call__(self, delivery: Delivery) -> None:
        self.handed.append(delivery)
        if self.fails:
            self.fails -= 1
            raise RuntimeError("a bug, made on purpose")
        await self.may_go_on.wait()
        await (delivery.release() if self.release else delivery.ack())
        self.finished += 1


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def consuming(link, desk):
    consumer = Consumer(link, QUEUE, desk, prefetch=10, grace_seconds=10)
    await consumer.open()
    yield consumer
    await consumer.close()


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


async def test_closing_waits_for_what_is_in_hand(broker, consuming, desk):
    desk.may_go_on.clear()
    await broker.put("email", b"one")
    await until(lambda: len(desk.handed) == 1)
    closing = asyncio.create_task(consuming.close())
    desk.may_go_on.set()
    await closing
    assert desk.finished == 1
    assert await broker.count(QUEUE) == 0


async def test_what_does_not_finish_in_time_goes_back(broker, link, desk):
    hasty = Consumer(link, QUEUE, desk, prefetch=10, grace_seconds=0.05)
    await hasty.open()
    desk.may_go_on.clear()
    await broker.put("email", b"one")
    await until(lambda: len(desk.handed) == 1)
    await hasty.close()

    async def is_back() -> bool:
        return await broker.count(QUEUE) == 1

    await until(is_back)


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
