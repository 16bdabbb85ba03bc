"""The dead letter office as tests need it: notifications that fail, as a worker would tell."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from shared.messaging.addressed import to_dead_letters, to_status
from shared.schemas.wire import NotificationMessage, OutcomeReport
from tests.api_gateway.gateway import Gateway, request
from tests.shared.broker import Broker, until

users = count(20_000)


def outcome(message: NotificationMessage, **changes: Any) -> OutcomeReport:
    """What a worker reports: the last of four tries was declined."""
    usual = {
        "event_id": uuid4(),
        "notification_id": message.id,
        "generation": message.generation,
        "hop": message.hop,
        "attempt": 4,
        "status": "failed",
        "reason": "retries_exhausted",
        "provider": "smtp",
        "detail": "450 busy \x00",
        "started_at": datetime.now(UTC),
        "at": datetime.now(UTC),
    }
    return OutcomeReport.model_validate({**usual, **changes})


class Office:
    """One gateway's dead letters."""

    def __init__(self, client: httpx.AsyncClient, broker: Broker, database: Any) -> None:
        self.client = client
        self.broker = broker
        self.database = database

    async def publish(self, body: bytes, **properties: Any) -> None:
        """Into the dead letters, as a worker would."""
        await self.broker.put("failed", body, **properties)

    async def report(self, *reports: OutcomeReport) -> None:
        """To the gateway, as a worker would."""
        out = to_status(list(reports))
        await self.broker.put(out.routing_key, out.body, exchange=out.exchange)

    async def kept(self, where: str, *values: Any, number: int = 1) -> list[Any]:
        """Waits for the dead letters of a condition and returns them."""
        query = f"SELECT * FROM dead_letters WHERE {where} ORDER BY id"  # noqa: S608

        async def there() -> bool:
            return len(await self.database.fetch(query, *values)) >= number

        await until(there)
        return list(await self.database.fetch(query, *values))

    async def in_lane(
        self, request_id: str, queue: str = "email.queue", *, generation: int = 1
    ) -> NotificationMessage:
        """A notification's message, taken out of its lane."""
        while True:
            found = await self.broker.take(queue)
            message = NotificationMessage.model_validate_json(found.body)
            # Others are another test's.
            if (str(message.id), message.generation) == (request_id, generation):
                return message

    async def accepted(self, queue: str = "email.queue", **changes: Any) -> NotificationMessage:
        """A message that waited in its lane."""
        body = request(**{"user_id": next(users), **changes})
        answer = await self.client.post("/notifications/send", json=body)
        assert answer.status_code == 202, answer.text
        return await self.in_lane(answer.json()["data"]["request_id"], queue)

    async def fail(self, message: NotificationMessage, **changes: Any) -> int:
        """The id of the dead letter that the message becomes."""
        letter = to_dead_letters(message, outcome(message, **changes))
        await self.publish(letter.body, headers=letter.headers)
        [row] = await self.kept(
            "notification_id = $1 AND generation = $2", message.id, message.generation
        )
        return int(row["id"])

    async def failed(self, number: int, template: str, **changes: Any) -> list[int]:
        """The ids of many dead letters of one template."""
        sent: set[str] = set()
        for _ in range(number):
            body = request(user_id=next(users), template_id=template)
            answer = await self.client.post("/notifications/send", json=body)
            sent.add(answer.json()["data"]["request_id"])
        waiting = set(sent)
        while waiting:
            found = await self.broker.take("email.queue")
            message = NotificationMessage.model_validate_json(found.body)
            if str(message.id) in waiting:
                waiting.remove(str(message.id))
                letter = to_dead_letters(message, outcome(message, **changes))
                await self.publish(letter.body, headers=letter.headers)
        rows = await self.kept("notification_id = ANY($1::uuid[])", list(sent), number=number)
        return [row["id"] for row in rows]

    async def get(self, path: str, **params: Any) -> Any:
        """The data of a good answer."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def redrive(self, letter_id: int, **edit: Any) -> httpx.Response:
        return await self.client.post(f"/dead-letters/{letter_id}/redrive", json=edit)


@asynccontextmanager
async def office_of(gateway: Gateway, environment: dict[str, str]) -> AsyncIterator[Office]:
    """The office of a running gateway."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(gateway.client())
        broker = Broker(environment["RABBITMQ_URL"])
        await broker.open()
        stack.push_async_callback(broker.close)
        database = await asyncpg.connect(environment["DATABASE_URL"])
        stack.push_async_callback(database.close)
        yield Office(client, broker, database)
