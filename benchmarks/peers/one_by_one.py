"""(c) As tutorials have it: prefetch 1, and a new SMTP connection for each message.

`python -m benchmarks.peers.one_by_one` works; with a COUNT it queues so many messages.
"""

import asyncio
import json
import os
import sys
from typing import Any

import aio_pika
import aiosmtplib
import uvloop
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from benchmarks import letters
from benchmarks.peers.composing import compose
from benchmarks.peers.names import ONE_BY_ONE_QUEUE as QUEUE

QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
A_GATHERING = 500


async def deliver(task: AbstractIncomingMessage) -> None:
    asked = json.loads(task.body)
    message = compose(asked["recipient"], asked["variables"])
    port = int(os.environ["SINK_PORT"])
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port, start_tls=False)
    await task.ack()


async def work() -> None:
    connection = await aio_pika.connect_robust(os.environ["RABBITMQ_URL"])
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=1)
    queue = await channel.declare_queue(QUEUE, durable=True, arguments=QUORUM)
    await queue.consume(deliver)
    await asyncio.Event().wait()


async def fill(count: int) -> None:
    connection = await aio_pika.connect(os.environ["RABBITMQ_URL"])
    channel = await connection.channel()
    await channel.declare_queue(QUEUE, durable=True, arguments=QUORUM)
    for first in range(0, count, A_GATHERING):
        numbers = range(first, min(first + A_GATHERING, count))
        sends = (channel.default_exchange.publish(task(number), QUEUE) for number in numbers)
        await asyncio.gather(*sends)
    await connection.close()


def task(number: int) -> Message:
    asked = {"recipient": letters.address(number), "variables": letters.VARIABLES}
    return Message(json.dumps(asked).encode(), delivery_mode=DeliveryMode.PERSISTENT)


if __name__ == "__main__":
    uvloop.run(fill(int(sys.argv[1])) if sys.argv[1:] else work())
