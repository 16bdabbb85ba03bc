"""A steady load on a gateway, and how long each accept took."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count

import httpx

from tests.api_gateway.gateway import Gateway, request

_users = count(100_000)


@dataclass
class Load:
    """What was asked at a constant rate, whether or not it was answered in between."""

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Seconds within which that share of all was answered."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * share))]

    def __str__(self) -> str:
        p50, p99, worst = (self.percentile(share) * 1000 for share in (0.5, 0.99, 1))
        return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms"


async def load(gateway: Gateway, *, rate: float, seconds: float) -> Load:
    """Sends at that rate, each for a user of its own, and waits for all the answers."""
    asked = Load()
    async with gateway.client() as client:
        beginning, sends = time.perf_counter(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0, beginning + number / rate - time.perf_counter()))
            sends.append(asyncio.create_task(_send(client, asked)))
        await asyncio.gather(*sends)
    return asked


async def _send(client: httpx.AsyncClient, asked: Load) -> None:
    started = time.perf_counter()
    answer = await client.post("/notifications/send", json=request(user_id=next(_users)))
    asked.seconds.append(time.perf_counter() - started)
    asked.statuses.append(answer.status_code)
