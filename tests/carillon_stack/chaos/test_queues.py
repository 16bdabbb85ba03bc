"""Whether anything still lies in a queue, on a real RabbitMQ."""

import asyncio
import os
from urllib.parse import urlsplit

import aio_pika

from carillon_stack.chaos import queues
from carillon_stack.chaos.queues import left_in_queues

QUORUM = {"x-queue-type": "quorum"}


async def test_what_a_worker_holds_counts_as_left_until_it_is_acked(rabbitmq_url, monkeypatch):
    vhost = urlsplit(rabbitmq_url).path.removeprefix("/")

    async def left(seconds: float) -> dict[str, int]:
        monkeypatch.setattr(queues, "_SECONDS", seconds)
        url = os.environ["RABBITMQ_MANAGEMENT_URL"]
        return dict(await asyncio.to_thread(left_in_queues, url, vhost))

    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("held", durable=True, arguments=QUORUM)
        await channel.default_exchange.publish(aio_pika.Message(b"one"), "held")
        held = await queue.get(timeout=10)
        async with asyncio.timeout(60):
            while (found := await left(seconds=0)) != {"held": 1}:
                assert found == {}
        await held.ack()
        assert await left(seconds=60) == {}
