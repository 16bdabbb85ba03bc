import pytest

from shared.errors import BrokerUnavailable
from shared.messaging import Link, Outgoing, Publisher
from shared.messaging.addressed import to_lane
from tests.shared.broker import notification, until

NOWHERE = Outgoing("notifications.direct", "nobody.listens", b"{}")


async def test_a_confirmed_message_is_in_its_queue_and_persistent(broker, link):
    message = notification()
    await Publisher(link).publish_one(to_lane(message))
    received = await broker.take("email.queue")
    assert received.delivery_mode == 2
    assert received.message_id
    assert received.headers["notification-id"] == str(message.id)
    assert received.headers["attempt"] == 1


async def test_a_message_that_no_queue_takes_is_an_error(link):
    with pytest.raises(BrokerUnavailable):
        await Publisher(link).publish_one(NOWHERE)


async def test_a_failure_is_told_to_its_own_message_only(broker, link):
    outgoing = [to_lane(notification()), NOWHERE, to_lane(notification())]
    first, second, third = await Publisher(link).publish(outgoing)
    assert first is third is None
    assert isinstance(second, BrokerUnavailable)
    assert await broker.count("email.queue") == 2


async def test_an_exchange_that_is_missing_harms_only_its_messages(broker, link):
    publisher = Publisher(link)
    with pytest.raises(BrokerUnavailable):
        await publisher.publish_one(Outgoing("no.such.exchange", "key", b"{}"))

    async def is_back() -> bool:
        return await publisher.publish([to_lane(notification())]) == [None]

    await until(is_back)


async def test_many_at_once_are_all_confirmed(broker, link):
    outgoing = [to_lane(notification()) for _ in range(300)]
    assert await Publisher(link).publish(outgoing) == [None] * 300
    assert await broker.count("email.queue") == 300


async def test_without_a_connection_it_fails_at_once():
    publisher = Publisher(Link("amqp://guest:guest@127.0.0.1:1/", "nowhere"))
    with pytest.raises(BrokerUnavailable):
        await publisher.publish_one(to_lane(notification()))


async def test_after_rabbitmq_closed_the_connection_it_publishes_again(broker, link):
    publisher = Publisher(link)
    await publisher.publish_one(to_lane(notification()))
    await broker.force_close("test")

    async def published() -> bool:
        return await publisher.publish([to_lane(notification())]) == [None]

    await until(published)
    assert await broker.count("email.queue") >= 2
    await link.ping()
