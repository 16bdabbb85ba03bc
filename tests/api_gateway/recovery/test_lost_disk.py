"""RabbitMQ loses everything under a running suite; one command brings it all back, once."""

import asyncio
import json
import os
from collections import Counter
from urllib.parse import urlsplit

import httpx
from typer.testing import CliRunner

from carillon_client.cli import app
from shared.delivery import Receipt
from tests.api_gateway.gateway import ADMIN_KEY, request
from tests.api_gateway.reconciler.stalled import ago, remember_claims
from tests.shared.broker import until
from tests.shared.delivery.conftest import neighbours, settings
from tests.shared.delivery.worker import Letters, Post, Worker

__all__ = ["neighbours", "settings"]

COUNT, SENT = 60, 20


class Hesitating(Post):
    """Sends so many, and then waits to be told to go on."""

    left = SENT

    async def send(self, content, *, key) -> Receipt:
        if self.left == 0:
            self.may_go_on.clear()
        self.left -= 1
        return await super().send(content, key=key)


def lose_everything(url: str) -> None:
    """The virtual host goes with all its queues, and comes back as a new one."""
    name = urlsplit(url).path.removeprefix("/")
    given = urlsplit(os.environ["RABBITMQ_URL"])
    user = given.username or "guest"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    with httpx.Client(
        base_url=os.environ["RABBITMQ_MANAGEMENT_URL"],
        auth=(user, given.password or "guest"),
        timeout=30,
    ) as client:
        client.delete(f"/api/vhosts/{name}").raise_for_status()
        client.put(f"/api/vhosts/{name}").raise_for_status()
        client.put(f"/api/permissions/{name}/{user}", json=everything).raise_for_status()


def recover(url: str, *words: str):
    environment = {"CARILLON_URL": url, "CARILLON_API_KEY": ADMIN_KEY}
    return CliRunner().invoke(app, ["recover", *words], env=environment)


async def test_all_of_it_is_delivered_once(start, neighbours, settings, cache, rabbitmq_url):
    await remember_claims(cache, since=ago(hours=1))
    gateway = await start(USER_SERVICE_URL=neighbours.url)
    post = Hesitating()

    async def count(client, status):
        listed = await client.get("/notifications", params={"status": status, "limit": 100})
        return len(listed.json()["data"])

    async def is_known_to_be_well(client):
        answer = await client.post("/recoveries", json={})
        return answer.status_code == 409 and answer.json()["error"]["code"] == "nothing_lost"

    async with gateway.client() as client:
        await until(lambda: is_known_to_be_well(client))
        for number in range(COUNT):
            body = request(variables={"name": str(number)})
            assert (await client.post("/notifications/send", json=body)).status_code == 202
        # Some are sent; the gateway does not learn of it, for it is gone by then.
        await asyncio.to_thread(gateway.stop)
        async with Worker(Letters(), post, settings(grace_seconds=1)).running():
            await until(lambda: len(post.sent) == SENT and post.began > SENT)
        await asyncio.to_thread(lose_everything, rabbitmq_url)
        await asyncio.to_thread(gateway.start)

        assert await count(client, "queued") == COUNT
        told = await asyncio.to_thread(recover, gateway.url, "--json")
        assert told.exit_code == 0, told.output
        recovery = json.loads(told.stdout)
        assert recovery["state"] == "finished"
        assert (recovery["total"], recovery["enqueued"], recovery["held"]) == (COUNT, COUNT, 0)

        post.may_go_on.set()
        post.left = COUNT
        async with Worker(Letters(), post, settings()).running():

            async def all_sent():
                return await count(client, "sent") == COUNT

            await until(all_sent)
        again = await asyncio.to_thread(recover, gateway.url)
        assert (again.exit_code, "has lost nothing" in again.stderr) == (1, True)
        forced = await asyncio.to_thread(recover, gateway.url, "--force", "--rate", "50")
        assert (forced.exit_code, "Recovered: 0 enqueued, 0 held" in forced.stdout) == (0, True)
        words = ("--restored-from", "2026-01-02T03:04:05Z", "--no-wait", "--json")
        restored = await asyncio.to_thread(recover, gateway.url, *words)
        assert json.loads(restored.stdout)["restored_from"] == "2026-01-02T03:04:05Z"
    assert Counter(text for _, text in post.sent) == {
        f"Good evening, {number}!": 1 for number in range(COUNT)
    }
