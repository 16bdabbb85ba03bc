"""Engines go away and come back: what a caller is told meanwhile, and that nothing is lost."""

import asyncio
import time

import asyncpg

from tests.api_gateway.gateway import request
from tests.api_gateway.neighbours import Served, template_service
from tests.proxy import proxied
from tests.shared.broker import Broker, until


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
            assert {answer.status_code for answer, _ in told} == {503}
            assert max(seconds for _, seconds in told) < 5
            # From now on everybody is told at once.
            told = [await send(client) for _ in range(10)]
            assert {answer.status_code for answer, _ in told} == {503}
            assert max(seconds for _, seconds in told) < 1
            proxy.restore()
            await until(lambda: accepts(client))


async def test_reads_that_hang_refuse_no_accept(start, postgres_url):
    """Invariant: accepting shares its connections with nothing that may be slow."""
    gateway = await start(DATABASE_POOL_SIZE="2")
    database = await asyncpg.connect(postgres_url)
    async with gateway.client() as client:
        accepted, _ = await send(client)
        address = f"/notifications/{accepted.json()['data']['request_id']}"
        async with database.transaction():
            await database.execute("LOCK TABLE notification_events IN ACCESS EXCLUSIVE MODE")
            reads = [asyncio.create_task(client.get(address)) for _ in range(20)]

            async def they_wait() -> bool:
                query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                return await database.fetchval(query) >= 2

            await until(they_wait)
            told = [await send(client, user_id=n) for n in range(1, 20)]
            assert {answer.status_code for answer, _ in told} == {202}
        await asyncio.gather(*reads)
    await database.close()


async def test_before_its_tables_are_there_it_says_that_it_is_starting(start, postgres_url):
    async with proxied(postgres_url) as (proxy, through):
        proxy.cut()
        gateway = await start(DATABASE_URL=through)
        async with gateway.client() as client:
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
            answer, _ = await send(client)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            proxy.restore()
            await until(lambda: accepts(client))


async def test_without_rabbitmq_it_accepts_and_publishes_later(start, rabbitmq_url, postgres_url):
    async with proxied(rabbitmq_url) as (proxy, through):
        gateway = await start(RABBITMQ_URL=through)
        database = await asyncpg.connect(postgres_url)

        async def empty():
            return await database.fetchval("SELECT count(*) FROM outbox") == 0

        async with gateway.client() as client:
            assert await accepts(client)
            await until(empty)
            proxy.cut()
            told = [await send(client, user_id=n) for n in range(1, 30)]
            assert {answer.status_code for answer, _ in told} == {202}
            assert max(seconds for _, seconds in told) < 2
            health = (await client.get("/health")).json()
            assert health["status"] == "degraded"
            assert health["dependencies"]["api_gateway-publishing"]["status"] == "down"
            assert await database.fetchval("SELECT count(*) FROM outbox") == len(told)
            # Whoever would have published right away is past its lease.
            await database.execute("UPDATE outbox SET leased_until = NULL")
            proxy.restore()
            wanted = {answer.json()["data"]["request_id"] for answer, _ in told}
            broker = Broker(rabbitmq_url)
            await broker.open()
            while wanted:
                message = await broker.take("email.queue")
                wanted.discard(message.headers["notification-id"])
            await broker.close()
            await until(empty)
        await database.close()


async def test_a_rabbitmq_that_hangs_slows_nobody(start, rabbitmq_url):
    async with proxied(rabbitmq_url) as (proxy, through):
        gateway = await start(RABBITMQ_URL=through)
        async with gateway.client() as client:
            assert await accepts(client)
            proxy.freeze()
            told = [await send(client, user_id=n) for n in range(1, 20)]
            assert {answer.status_code for answer, _ in told} == {202}
            assert max(seconds for _, seconds in told) < 2
            proxy.restore()


async def test_without_redis_each_process_limits_by_itself(start, redis_url):
    async with proxied(redis_url) as (proxy, through):
        gateway = await start(REDIS_URL=through, RATE_LIMIT_PER_USER="5")
        async with gateway.client() as client:
            for user, go_away in ((10, proxy.cut), (11, proxy.freeze)):
                proxy.restore()
                go_away()
                told = [await send(client, user_id=user) for _ in range(6)]
                statuses = [answer.status_code for answer, _ in told]
                assert statuses == [202] * 5 + [429]
                assert max(seconds for _, seconds in told) < 2
            assert told[-1][0].headers["Retry-After"]
            proxy.restore()


async def test_without_the_template_service_it_accepts_unseen(start, postgres_url):
    served = Served(template_service())
    async with proxied(served.url) as (proxy, through):
        gateway = await start(TEMPLATE_SERVICE_URL=through)
        async with gateway.client() as client:
            assert (await send(client, template_id="nobody"))[0].status_code == 422
            proxy.freeze()
            told = [await send(client, template_id=f"unseen-{n}") for n in range(8)]
            assert {answer.status_code for answer, _ in told} == {202}
            # The first waits a second; from then on nobody does.
            assert sum(seconds for _, seconds in told) < 5
            shown = await client.get(f"/notifications/{told[0][0].json()['data']['request_id']}")
            assert shown.json()["data"]["template_version"] is None
            proxy.restore()

            async def seen_again():
                return (await send(client, template_id="nobody"))[0].status_code == 422

            await until(seen_again)
    served.stop()


async def test_a_template_service_that_speaks_nonsense_refuses_nobody(start, users):
    gateway = await start(TEMPLATE_SERVICE_URL=users)
    async with gateway.client() as client:
        assert await accepts(client)


async def test_a_gateway_killed_after_its_answer_loses_nothing(start, rabbitmq_url, postgres_url):
    async with proxied(rabbitmq_url) as (proxy, through):
        gateway = await start(RABBITMQ_URL=through)
        proxy.cut()
        async with gateway.client() as client:
            answer, _ = await send(client)
        gateway.kill()
        proxy.restore()
        gateway.start()
        broker = Broker(rabbitmq_url)
        await broker.open()
        message = await broker.take("email.queue")
        assert message.headers["notification-id"] == answer.json()["data"]["request_id"]
        await broker.close()
