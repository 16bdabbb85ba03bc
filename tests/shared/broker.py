"""A test's own view of its virtual host: what stands in which queue, and who is connected."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import httpx

from shared.messaging import Link
from shared.messaging.topology import TOPOLOGY
from shared.schemas.wire import NotificationMessage

DEADLINE_SECONDS = 30.0


async def until(
    condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = DEADLINE_SECONDS
) -> None:
    """Waits for a condition, and fails where it never comes true."""
    async with asyncio.timeout(seconds):
        while True:
            met = condition()
            if await met if isinstance(met, Awaitable) else met:
                return
            await asyncio.sleep(0.02)


def notification(**changes: Any) -> NotificationMessage:
    """A message on its way to user 1."""
    now = datetime.now(UTC)
    usual = {
        "id": uuid4(),
        "channel": "email",
        "user_id": 1,
        "template_id": "bells",
        "template_version": 1,
        "variables": {"name": "Ada"},
        "correlation_id": "test",
        "created_at": now,
        "expires_at": now + timedelta(hours=1),
    }
    return NotificationMessage(**{**usual, **changes})


@dataclass
class Broker:
    """One virtual host."""

    url: str
    links: list[Link] = field(default_factory=list)
    _channel: Any = None
    _connection: Any = None

    async def open(self) -> None:
        """Connects, and makes what a service under test may not have made yet."""
        self._connection = await aio_pika.connect(self.url)
        self._channel = await self._connection.channel(on_return_raises=True)
        await TOPOLOGY.declare(self._channel)

    async def close(self) -> None:
        for link in self.links:
            await link.close()
        await self._connection.close()

    async def link(self, name: str = "test") -> Link:
        """An open link, closed after the test."""
        link = Link(self.url, name, essential=True)
        await link.open()
        self.links.append(link)
        return link

    async def count(self, queue: str) -> int:
        """Messages that wait in a queue, those in a consumer's hands left out."""
        declared = await self._channel.declare_queue(queue, passive=True)
        return int(declared.declaration_result.message_count)

    async def take(self, queue: str) -> Any:
        """The next message of a queue, acked; waits for it."""
        found: list[Any] = []

        async def look() -> bool:
            waiting = await self._channel.get_queue(queue, ensure=False)
            found.append(await waiting.get(fail=False, no_ack=True, timeout=DEADLINE_SECONDS))
            return found[-1] is not None

        await until(look)
        return found[-1]

    async def put(
        self,
        routing_key: str,
        body: bytes,
        *,
        exchange: str = "notifications.direct",
        **properties: Any,
    ) -> None:
        """Publishes as a worker would: into a queue that exists, confirmed."""
        target = await self._channel.get_exchange(exchange, ensure=False)
        properties.setdefault("message_id", uuid4().hex)
        await target.publish(aio_pika.Message(body, **properties), routing_key)

    async def delete_queue(self, queue: str) -> None:
        """Deletes it with all that is in it, as a hand in the management UI does."""
        await self._channel.queue_delete(queue)

    async def delete_exchange(self, exchange: str) -> None:
        """Deletes it with all its bindings."""
        await self._channel.exchange_delete(exchange)

    async def unbind(self, queue: str, exchange: str, key: str) -> None:
        """Takes away what leads from an exchange into a queue."""
        bound = await self._channel.get_queue(queue, ensure=False)
        await bound.unbind(exchange, key)

    async def give_back(self, queue: str) -> None:
        """Takes the next message of a queue and returns it, as a worker does that ends."""
        waiting = await self._channel.get_queue(queue, ensure=False)
        message = await waiting.get(timeout=DEADLINE_SECONDS)
        await message.nack(requeue=True)

    async def make_full(self, key: str, *, room: int) -> None:
        """A queue behind a key that refuses what is more than `room` messages."""
        queue = await self._channel.declare_queue(
            key,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-max-length": room,
                "x-overflow": "reject-publish",
            },
        )
        await queue.bind("notifications.direct", key)

    async def force_close(self, name: str) -> None:
        """Has RabbitMQ close the connection of that name."""
        vhost = urlsplit(self.url).path.removeprefix("/")
        given = urlsplit(os.environ["RABBITMQ_URL"])
        login = (given.username or "guest", given.password or "guest")
        base_url = os.environ["RABBITMQ_MANAGEMENT_URL"]
        async with httpx.AsyncClient(base_url=base_url, auth=login, timeout=30) as client:

            async def closed() -> bool:
                answer = await client.get(f"/api/vhosts/{vhost}/connections")
                mine = [
                    connection["name"]
                    for connection in answer.json()
                    if connection.get("client_properties", {}).get("connection_name") == name
                ]
                for connection in mine:
                    (await client.delete(f"/api/connections/{connection}")).raise_for_status()
                return bool(mine)

            await until(closed)
