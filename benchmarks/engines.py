"""The engines as the bench sees them: emptied before each measurement, looked into after it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import httpx
import redis.asyncio
from aio_pika.abc import AbstractChannel, AbstractConnection

from carillon_stack.facts import Facts

GATEWAY_DATABASE = "carillon_gateway"
_TABLES = "notifications, notification_events, idempotency_keys, outbox, dead_letters"
_LOOK_SECONDS = 0.05
_PERSISTENT = 2


class Engines:
    """Connections to the three engines of a stack, for one task at a time."""

    def __init__(
        self,
        database: "asyncpg.Connection[asyncpg.Record]",
        cache: redis.asyncio.Redis,
        connection: AbstractConnection,
        channel: AbstractChannel,
        management: httpx.AsyncClient,
    ) -> None:
        self.database = database
        self.cache = cache
        self._connection = connection
        self._channel = channel
        self._management = management

    @classmethod
    async def reach(cls, facts: Facts) -> Self:
        server = urlsplit(facts.engines["postgres"].url)
        broker = facts.engines["rabbitmq"]
        login = urlsplit(broker.url)
        connection = await aio_pika.connect(broker.url)
        return cls(
            await asyncpg.connect(server._replace(path=f"/{GATEWAY_DATABASE}").geturl()),
            redis.asyncio.from_url(facts.engines["redis"].url, decode_responses=True),
            connection,
            await connection.channel(),
            httpx.AsyncClient(
                base_url=broker.management_url or "",
                auth=(login.username or "", login.password or ""),
                trust_env=False,
            ),
        )

    async def close(self) -> None:
        await self.database.close()
        await self.cache.aclose()
        await self._connection.close()
        await self._management.aclose()

    async def empty(self) -> None:
        """Everything as on the first day, and written to disk, so that nobody pays for the last.

        Users and templates stay; what Redis holds of them goes.
        """
        for queue in await self.queues():
            await (await self._channel.get_queue(queue, ensure=False)).purge()
        await self.database.execute(f"TRUNCATE {_TABLES}")
        await self.cache.flushdb()
        await self.database.execute("CHECKPOINT")

    async def queues(self) -> dict[str, dict[str, Any]]:
        """Every queue, as RabbitMQ describes it; its counts there are some seconds old."""
        answer = (await self._management.get("/api/queues/%2F")).raise_for_status()
        return {queue["name"]: queue for queue in answer.json()}

    async def depth(self, queue: str) -> int:
        """How many messages are ready in a queue, now."""
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def is_persistent(self, queue: str) -> bool:
        """Whether the first message of a queue is one that outlives the broker."""
        message = await (await self._channel.get_queue(queue, ensure=False)).get(timeout=5)
        persistent = message.delivery_mode == _PERSISTENT
        await message.nack(requeue=True)
        return bool(persistent)

    async def count(self, table: str, where: str = "true") -> int:
        """Rows of one of the gateway's tables."""
        statement = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608 - our own words
        return int(await self.database.fetchval(statement))

    async def until_none(self, table: str, where: str = "true", *, seconds: float) -> float | None:
        """The seconds until a table has no such rows; None when it still has some at the end."""
        any_left = f"SELECT EXISTS (SELECT FROM {table} WHERE {where})"  # noqa: S608 - as above
        began = time.monotonic()
        while await self.database.fetchval(any_left):
            if time.monotonic() - began > seconds:
                return None
            await asyncio.sleep(_LOOK_SECONDS)
        return time.monotonic() - began

    async def settings(self) -> dict[str, Mapping[str, str]]:
        """Versions, and what decides whether something confirmed outlives a power cut."""
        shown = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        postgres = {
            name: await self.database.fetchval(f"SHOW {name}")
            for name in (*shown, "wal_sync_method", "shared_buffers")
        }
        overview = (await self._management.get("/api/overview")).raise_for_status().json()
        rabbitmq = {"version": overview["rabbitmq_version"], "erlang": overview["erlang_version"]}
        asked = ("appendonly", "appendfsync", "maxmemory-policy")
        redis_settings = {"version": (await self.cache.info("server"))["redis_version"]}
        for name in asked:
            redis_settings[name] = str((await self.cache.config_get(name))[name])
        return {"PostgreSQL": postgres, "RabbitMQ": rabbitmq, "Redis": redis_settings}
