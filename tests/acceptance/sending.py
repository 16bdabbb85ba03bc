"""Emails sent at a steady rate, on connections that are kept, whatever happens meanwhile."""

import asyncio
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Self

from carillon_stack.chaos.connections import Connections, NoAnswer
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
        authorization = {"Authorization": self._stack.api.headers["Authorization"]}
        async with Connections(self._stack.url, authorization, seconds=60) as client:
            began, sends = time.monotonic(), []
            for number, user in enumerate(self._users):
                await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
                if self._stopping.is_set():
                    break
                sends.append(asyncio.create_task(self._send(client, user)))
            await asyncio.gather(*sends)

    async def _send(self, client: Connections, user: dict[str, Any]) -> None:
        body = {
            "user_id": user["id"],
            "channel": "email",
            "template_id": self._template_id,
            "variables": {"name": "Ada"},
        }
        started = time.monotonic()
        try:
            answer = await client.post("/notifications/send", body, {})
        except NoAnswer as error:
            self.refused.append(str(error))
            return
        self.seconds.append(time.monotonic() - started)
        if answer.status == HTTPStatus.ACCEPTED:
            self.accepted.append(answer.data["request_id"])
        else:
            self.refused.append(f"{answer.status} {answer.body.decode()}")

    def received(self) -> tuple[int, int]:
        """How many emails arrived since it began, and how many different ones."""
        stats = self._stack.sandbox.get("/stats").json()
        return stats["email"], stats["distinct_message_ids"]

    def until_delivered(self, *, seconds: float) -> None:
        """Returns when everything that was accepted has arrived; fails where one came twice."""
        count = len(self.accepted)
        until(lambda: self.received()[0] >= count, seconds=seconds, what=f"{count} emails")
        assert self.received() == (count, count)
