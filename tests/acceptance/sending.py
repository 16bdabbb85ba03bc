"""Emails sent at a steady rate, on connections that are kept, whatever happens meanwhile."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

import httpx

from tests.acceptance.stack import Stack, until


class Sending(threading.Thread):
    """One email to each user in turn, until told to stop; nothing is asked for twice.

    A refusal is any answer but 202, and any broken connection. The inbox is emptied before.
    """

    def __init__(
        self,
        stack: Stack,
        users: Sequence[dict[str, Any]],
        template_id: str,
        *,
        rate: float,
    ) -> None:
        super().__init__()
        self._stack, self._users, self._template_id, self._rate = stack, users, template_id, rate
        self._stopping = threading.Event()
        self.accepted: list[str] = []
        self.refused: list[str] = []
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        self._stack.sandbox.delete("/messages").raise_for_status()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()

    def finish(self) -> None:
        """Returns when every user was sent to."""
        self.join()

    def run(self) -> None:
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        limits = httpx.Limits(max_connections=None, keepalive_expiry=30)
        async with httpx.AsyncClient(
            base_url=self._stack.url,
            headers=dict(self._stack.api.headers),
            timeout=60,
            limits=limits,
        ) as client:
            began, sends = time.monotonic(), []
            for number, user in enumerate(self._users):
                await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
                if self._stopping.is_set():
                    break
                sends.append(asyncio.create_task(self._send(client, user)))
            await asyncio.gather(*sends)

    async def _send(self, client: httpx.AsyncClient, user: dict[str, Any]) -> None:
        body = {
            "user_id": user["id"],
            "channel": "email",
            "template_id": self._template_id,
            "variables": {"name": "Ada"},
        }
        started = time.monotonic()
        try:
            response = await client.post("/notifications/send", json=body)
        except httpx.TransportError as error:
            self.refused.append(repr(error))
            return
        self.seconds.append(time.monotonic() - started)
        if response.status_code == 202:
            self.accepted.append(response.json()["data"]["request_id"])
        else:
            self.refused.append(f"{response.status_code} {response.text}")

    def received(self) -> tuple[int, int]:
        """How many emails arrived since it began, and how many different ones."""
        stats = self._stack.sandbox.get("/stats").json()
        return stats["email"], stats["distinct_message_ids"]

    def until_delivered(self, *, seconds: float) -> None:
        """Returns when everything that was accepted has arrived; fails where one came twice."""
        count = len(self.accepted)
        until(lambda: self.received()[0] >= count, seconds=seconds, what=f"{count} emails")
        assert self.received() == (count, count)
