"""Engines go away and come back: what a caller is told meanwhile, and that nothing is lost."""

import asyncio
import time

from tests.api_gateway.gateway import request
from tests.proxy import proxied
from tests.shared.broker import until


async def send(client, **changes):
    """The status of one send, and the seconds that it took."""
    started = time.monotonic()
    answer = await client.post("/notifications/send", json=request(**changes))
    return answer, time.monotonic() - started


async def accepts(client):
    return (await send(client))[0].status_code == 202


async def test_without_postgresql_callers_are_told_at_once_until_it_is_back(start, postgres_url):
    async with proxied(postgres_url) as (proxy, through):
        gateway = await start(DATABASE_URL=through)
        async with gateway.client() as client:
            warm = await asyncio.gather(*(send(client, user_id=n) for n in range(1, 40)))
            assert {answer.status_code for answer, _ in warm} == {202}
            proxy.cut()
            for _ in range(20):
                answer, seconds = await send(client)
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) >= 1
                assert seconds < 1
            assert (await client.get("/readyz")).status_code == 503
            proxy.restore()
            await until(lambda: accepts(client))
            answers = await asyncio.gather(*(send(client, user_id=n) for n in range(1, 40)))
            assert {answer.status_code for answer, _ in answers} == {202}

            async def ready():
                return (await client.get("/health")).json()["status"] == "ok"

            await until(ready)
        assert "Traceback" not in gateway.log()


async def test_a_restart_of_postgresql_between_two_requests_refuses_nobody(start, postgres_url):
    async with proxied(postgres_url) as (proxy, through):
        gateway = await start(DATABASE_URL=through)
        async with gateway.client() as client:
            assert await accepts(client)
            proxy.cut()
            proxy.restore()
            # The loss arrives with the next turn of the gateway's loop.
            await client.get("/livez")
            for _ in range(10):
                assert await accepts(client)


async def test_a_postgresql_that_hangs_hangs_nobody_for_long(start, postgres_url):
    async with proxied(postgres_url) as (proxy, through):
        gateway = await start(DATABASE_URL=through)
        async with gateway.client() as client:
            assert await accepts(client)
            proxy.freeze()
            told = await asyncio.gather(*(send(client, user_id=n) for n in range(1, 60)))
            told += [await send(client) for _ in range(5)]
            print([round(s, 2) for _, s in told])
            assert {answer.status_code for answer, _ in told} == {503}
            assert max(seconds for _, seconds in told) < 8
            proxy.restore()
            await until(lambda: accepts(client))
