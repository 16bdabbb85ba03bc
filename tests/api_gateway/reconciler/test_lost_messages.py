"""A gateway and a worker on real engines, while somebody takes messages out of a lane."""

import asyncio
import json
from collections import Counter

from tests.api_gateway.gateway import request
from tests.api_gateway.reconciler.stalled import ago, remember_claims
from tests.shared.broker import until
from tests.shared.delivery.conftest import settings
from tests.shared.delivery.worker import Letters, Post, Worker

__all__ = ["settings"]

COUNT = 20
RECONCILING = {"RECONCILE_AFTER": "1", "RECONCILE_INTERVAL": "0.3"}


async def test_exactly_what_was_taken_out_of_a_lane_is_enqueued_again(
    start, neighbours, broker, settings, cache
):
    await remember_claims(cache, since=ago(hours=1))
    gateway = await start(USER_SERVICE_URL=neighbours.url)
    post = Post()

    async def are_sent(client, count):
        listed = await client.get("/notifications", params={"status": "sent"})
        return len(listed.json()["data"]) == count

    async def are_in_the_lane(count):
        return await broker.count("email.queue") == count

    async with gateway.client() as client:
        for number in range(COUNT):
            answer = await client.post(
                "/notifications/send", json=request(variables={"name": str(number)})
            )
            assert answer.status_code == 202
        await until(lambda: are_in_the_lane(COUNT))
        bodies = [(await broker.take("email.queue")).body for _ in range(COUNT)]
        taken, left = bodies[::3], [body for place, body in enumerate(bodies) if place % 3]
        for body in left:
            await broker.put("email", body)
        async with Worker(Letters(), post, settings()).running():
            await until(lambda: are_sent(client, len(left)))

    # Only now: a second without progress is nothing on a busy machine.
    await asyncio.to_thread(gateway.stop)
    gateway = await start(USER_SERVICE_URL=neighbours.url, **RECONCILING)
    await until(lambda: are_in_the_lane(len(taken)))
    again = [(await broker.take("email.queue")).body for _ in taken]
    assert {json.loads(body)["id"] for body in again} == {json.loads(body)["id"] for body in taken}
    for body in again:
        await broker.put("email", body)
    async with gateway.client() as client, Worker(Letters(), post, settings()).running():
        await until(lambda: are_sent(client, COUNT))
    assert Counter(text for _, text in post.sent) == {
        f"Good evening, {number}!": 1 for number in range(COUNT)
    }
