import asyncio
from contextlib import asynccontextmanager

import pytest

from shared.errors import BrokerUnavailable
from shared.messaging import Link, Outgoing, Publisher
from shared.messaging.addressed import to_lane
from tests.proxy import proxied
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


async def test_what_is_published_at_once_by_several_is_answered_to_each(broker, link):
    publisher = Publisher(link)
    ranges = [[to_lane(notification()) for _ in range(50)] for _ in range(6)]
    for number, messages in enumerate(ranges):
        messages[7 * number] = NOWHERE
    answers = await asyncio.gather(*map(publisher.publish, ranges))
    for number, answer in enumerate(answers):
        assert [place for place, one in enumerate(answer) if one] == [7 * number]
    assert await broker.count("email.queue") == 6 * 49


async def test_a_queue_that_is_full_refuses_what_is_too_many(broker, link):
    await broker.make_full("full", room=2)
    to_full = Outgoing("notifications.direct", "full", b"{}")
    fits = to_lane(notification())
    publisher = Publisher(link)
    assert await publisher.publish([to_full, to_full]) == [None, None]

    async def refused() -> bool:
        """A quorum queue lets some pass before it knows that it is full."""
        first, *others, last = await publisher.publish([fits, *[to_full] * 20, fits])
        assert first is last is None
        return all(isinstance(one, BrokerUnavailable) for one in others)

    await until(refused)


async def test_a_body_larger_than_a_frame_arrives_whole(broker, link):
    body = bytes(range(256)) * 2000
    large = Outgoing("notifications.direct", "email", body, {"notification-id": "é" * 100, "n": 7})
    fits = to_lane(notification())
    assert await Publisher(link).publish([large, fits]) == [None, None]
    received = await broker.take("email.queue")
    assert received.body == body
    assert {"notification-id": "é" * 100, "n": 7}.items() <= received.headers.items()
    assert received.content_type == "application/json"
    assert (await broker.take("email.queue")).body == fits.body


async def test_an_empty_body_is_a_message_too(broker, link):
    await Publisher(link).publish_one(Outgoing("notifications.direct", "email", b""))
    received = await broker.take("email.queue")
    assert received.body == b""


async def _publishes(publisher) -> bool:
    return await publisher.publish([to_lane(notification())]) == [None]


@asynccontextmanager
async def _through_a_proxy(url, **options):
    async with proxied(url) as (proxy, through):
        link = Link(through, "proxied", essential=True)
        await link.open()
        try:
            publisher = Publisher(link, **options)
            await until(lambda: _publishes(publisher))
            yield proxy, publisher
        finally:
            await link.close()


async def test_a_connection_cut_in_the_middle_fails_what_was_not_confirmed(broker):
    messages = [to_lane(notification()) for _ in range(20)]
    async with _through_a_proxy(broker.url) as (proxy, publisher):
        proxy.freeze()
        under_way = [asyncio.create_task(publisher.publish(messages)) for _ in range(15)]
        done, _ = await asyncio.wait(under_way, timeout=0.2)
        assert not done
        proxy.cut()
        async with asyncio.timeout(5):
            answers = await asyncio.gather(*under_way)
        assert all(isinstance(one, BrokerUnavailable) for answer in answers for one in answer)
        proxy.restore()
        await until(lambda: _publishes(publisher))


async def test_without_a_confirm_in_time_it_fails_and_a_late_one_is_nobodys(broker):
    messages = [to_lane(notification()) for _ in range(20)]
    async with _through_a_proxy(broker.url, confirm_seconds=0.2) as (proxy, publisher):
        proxy.freeze()
        answer = await publisher.publish([*messages, NOWHERE])
        assert all(isinstance(one, BrokerUnavailable) for one in answer)
        proxy.restore()

        async def published() -> bool:
            first, second = await publisher.publish([*messages[:1], NOWHERE])
            return first is None and second is not None

        await until(published)
