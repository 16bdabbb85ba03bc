"""The gateway with the services around it, all of them real processes, and what they tell."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import httpx
import redis.asyncio

from tests.api_gateway.engines import fresh_database
from tests.api_gateway.gateway import ADMIN_KEY
from tests.processes import ServiceProcess
from tests.shared.broker import until

SERVICES = ("api_gateway", "user_service", "template_service", "email_service")
FINAL = {"sent", "skipped", "failed", "expired"}


class Suite:
    """Emails, from the request to a mail server; `answers` are all that its API said."""

    def __init__(self) -> None:
        self.services = {name: ServiceProcess(name) for name in SERVICES}
        self.databases: dict[str, str] = {}
        self.answers: list[str] = []
        self.api = httpx.AsyncClient(
            base_url=self.services["api_gateway"].url,
            headers={"Authorization": f"Bearer {ADMIN_KEY}"},
            event_hooks={"response": [self._hear]},
            timeout=30,
            trust_env=False,
        )

    @asynccontextmanager
    async def running(self, environment: Mapping[str, str]) -> AsyncIterator["Suite"]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.api.aclose)
            addresses = {f"{name.upper()}_URL": one.url for name, one in self.services.items()}
            for name, service in self.services.items():
                url = await stack.enter_async_context(fresh_database())
                self.databases[name] = url
                stack.callback(service.close)
                service.launch(
                    {
                        "DATABASE_URL": url,
                        "BOOTSTRAP_ADMIN_KEY": ADMIN_KEY,
                        "LOG_LEVEL": "DEBUG",
                        **addresses,
                        **environment,
                    }
                )
            for service in self.services.values():
                await asyncio.to_thread(service.wait_ready)
            yield self

    async def _hear(self, response: httpx.Response) -> None:
        await response.aread()
        self.answers.append(f"{response.headers}{response.text}")

    async def make(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.api.post(path, json=body)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()["data"]
        return made

    async def status(self, request_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.api.get(f"/notifications/{request_id}")).json()["data"]
        return shown

    async def final(self, request_id: str) -> dict[str, Any]:
        """The notification once its status is final."""

        async def is_final() -> bool:
            return (await self.status(request_id))["status"] in FINAL

        await until(is_final)
        return await self.status(request_id)

    async def outbox_is_empty(self) -> bool:
        connection = await asyncpg.connect(self.databases["api_gateway"])
        rows = await connection.fetchval("SELECT count(*) FROM outbox")
        await connection.close()
        return bool(rows == 0)

    async def columns_with(self, text: str) -> list[str]:
        """Every column of every table that holds it, whatever its case."""
        found = []
        for name, url in self.databases.items():
            connection = await asyncpg.connect(url)
            tables = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            for table in (row["tablename"] for row in tables):
                for row in await connection.fetch(f'SELECT * FROM "{table}"'):  # noqa: S608
                    found += [f"{name}.{table}.{c}" for c, v in row.items() if text in _shown(v)]
            await connection.close()
        return found

    def logs_with(self, text: str) -> list[str]:
        """The lines of every log that hold it."""
        lines = [line for s in self.services.values() for line in s.log.read_text().splitlines()]
        assert lines
        return [line for line in lines if text in line.lower()]


async def keys_with(redis_url: str, text: str) -> list[str]:
    """Every key of Redis whose value holds it."""
    client = redis.asyncio.from_url(redis_url)
    found = []
    async for key in client.scan_iter():
        kind = await client.type(key)
        value = await (client.hgetall(key) if kind == b"hash" else client.dump(key))
        if text in _shown(value):
            found.append(key.decode())
    await client.aclose()
    return found


def _shown(value: Any) -> str:
    """As a person could read it."""
    return (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).lower()
