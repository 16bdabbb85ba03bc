"""Every service may start before its engines, and outlives the loss of any of them."""

import asyncio
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api_gateway.engines import fresh_database, with_path
from tests.processes import ServiceProcess, pytest_runtest_makereport
from tests.proxy import proxied
from tests.shared.broker import until

__all__ = ["pytest_runtest_makereport"]

# Six processes start at once, on whatever machine this is.
PATIENCE_SECONDS = 120.0
WAITS_FOR = {
    "api_gateway": "postgres",
    "user_service": "postgres",
    "template_service": "postgres",
    "email_service": "email_service-consuming",
    "push_service": "push_service-consuming",
    "sms_service": "sms_service-consuming",
}


@pytest.fixture
async def engines(postgres_url, rabbitmq_url, redis_url):
    """Proxies in front of the engines, and the URLs that lead through them."""
    async with AsyncExitStack() as stack:
        urls = {"DATABASE_URL": postgres_url, "RABBITMQ_URL": rabbitmq_url, "REDIS_URL": redis_url}
        proxies = []
        for name, url in urls.items():
            proxy, urls[name] = await stack.enter_async_context(proxied(url))
            proxies.append(proxy)
        yield proxies, urls


@pytest.fixture
async def services(engines, internal_token):
    """All services, started without a single engine; their own databases are there."""
    proxies, urls = engines
    for proxy in proxies:
        proxy.cut()
    running = {name: ServiceProcess(name) for name in WAITS_FOR}
    addresses = {f"{name.upper()}_URL": service.url for name, service in running.items()}
    async with AsyncExitStack() as databases:
        for service in running.values():
            database = urlsplit(await databases.enter_async_context(fresh_database())).path
            own = {"DATABASE_URL": with_path(urls["DATABASE_URL"], database.removeprefix("/"))}
            token = {"INTERNAL_SERVICE_TOKEN": internal_token, "GRACE_SECONDS": "3"}
            service.launch({**urls, **addresses, **own, **token})
        yield running
        await asyncio.gather(*(asyncio.to_thread(one.close) for one in running.values()))


async def test_services_wait_for_engines_say_so_and_outlive_their_loss(engines, services):
    proxies, _ = engines

    def say_what_they_wait_for() -> bool:
        return all(
            f"waiting for {engine}: " in services[name].log.read_text()
            for name, engine in WAITS_FOR.items()
        )

    await until(say_what_they_wait_for, seconds=PATIENCE_SECONDS)
    for proxy in proxies:
        proxy.restore()
    async with httpx.AsyncClient(timeout=60) as client:

        async def are(code: int) -> bool:
            asked = (client.get(f"{service.url}/readyz") for service in services.values())
            return {answer.status_code for answer in await asyncio.gather(*asked)} == {code}

        await until(lambda: are(200), seconds=PATIENCE_SECONDS)
        for proxy in proxies:
            proxy.cut()
        await until(lambda: are(503), seconds=PATIENCE_SECONDS)
        for proxy in proxies:
            proxy.restore()
        await until(lambda: are(200), seconds=PATIENCE_SECONDS)
    logs = "\n".join(service.log.read_text() for service in services.values())
    assert [line for line in logs.splitlines() if "Traceback" in line] == []
