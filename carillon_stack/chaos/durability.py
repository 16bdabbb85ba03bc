"""What the engines themselves say about how sure they write."""

import asyncio
from typing import Any

import asyncpg
import httpx
import redis.asyncio

from carillon_stack.facts import Facts

_SECONDS = 10.0
_POSTGRES = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
_REDIS = ("appendonly", "appendfsync", "maxmemory-policy")


async def durability(facts: Facts) -> dict[str, dict[str, Any]]:
    """Ask each engine for its settings; raises what their clients raise."""
    async with asyncio.timeout(3 * _SECONDS):
        return {
            "postgres": await _postgres(facts.engines["postgres"].url),
            "redis": await _redis(facts.engines["redis"].url),
            "rabbitmq": await _rabbitmq(facts.engines["rabbitmq"].management_url or ""),
        }


async def _postgres(url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url, timeout=_SECONDS)
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in _POSTGRES}
    finally:
        await connection.close()


async def _redis(url: str) -> dict[str, Any]:
    async with redis.asyncio.from_url(url, decode_responses=True) as client:
        version = (await client.info("server"))["redis_version"]
        settings: dict[Any, Any] = dict(await client.config_get(*_REDIS))
    return {"redis_version": version, **settings}


async def _rabbitmq(management_url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(
        base_url=management_url, auth=("guest", "guest"), timeout=_SECONDS, trust_env=False
    ) as client:
        overview = (await client.get("/api/overview")).raise_for_status().json()
        queues = (await client.get("/api/queues")).raise_for_status().json()
    return {
        "rabbitmq_version": overview["rabbitmq_version"],
        "queues": len(queues),
        "quorum_queues": sum(queue.get("type") == "quorum" for queue in queues),
        "durable_queues": sum(bool(queue["durable"]) for queue in queues),
    }
