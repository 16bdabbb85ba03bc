"""A hand in the management UI deletes what is in use: it is made anew, and work goes on."""

import pytest

from shared.errors import BrokerUnavailable
from shared.messaging import Consumer, Delivery, Outgoing, Publisher
from shared.messaging.depths import depths
from tests.shared.broker import until

QUEUE, KEY, DIRECT = "email.queue", "email", "notifications.direct"


@pytest.fixture
async def received(broker, link):
    bodies: list[bytes] = []

    async def receive(delivery: Delivery) -> None:
        bodies.append(delivery.body)
        await delivery.ack()

    consumer = Consumer(link, QUEUE, receive, prefetch=10)
    await consumer.open()
    await broker.put(KEY, b"before")
    await until(lambda: bodies == [b"before"])
    bodies.clear()
    yield bodies
    await consumer.close()


@pytest.fixture
async def publish(broker):
    """Publishes as a caller does who tries again."""
    publisher = Publisher(await broker.link("publishing"))

    async def is_confirmed(key: str, body: bytes) -> bool:
        try:
            await publisher.publish_one(Outgoing(DIRECT, key, body))
        except BrokerUnavailable:
            return False
        return True

    async def publish(body: bytes, key: str = KEY) -> None:
        await until(lambda: is_confirmed(key, body))

    return publish


async def test_a_deleted_queue_is_consumed_from_again(broker, received, publish):
    await broker.delete_queue(QUEUE)
    await publish(b"after")
    await until(lambda: received == [b"after"])


async def test_a_queue_that_nobody_consumes_from_is_made_anew(broker, publish):
    await broker.delete_queue("sms.queue")
    await publish(b"after", "sms")
    assert await broker.count("sms.queue") == 1


async def test_a_deleted_exchange_is_made_anew(broker, received, publish):
    await broker.delete_exchange(DIRECT)
    await publish(b"after")
    await until(lambda: received == [b"after"])


async def test_a_binding_that_was_taken_away_is_made_anew(broker, received, publish):
    await broker.unbind(QUEUE, DIRECT, KEY)
    await publish(b"after")
    await until(lambda: received == [b"after"])


async def test_who_looks_at_the_queues_has_a_missing_one_made(broker, link):
    async def are_seen() -> bool:
        try:
            return "retry.2000.queue" in await depths(link)
        except BrokerUnavailable:
            return False

    await broker.delete_queue("retry.2000.queue")
    await until(are_seen)
