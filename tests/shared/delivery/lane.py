"""A lane as a test uses it: messages in, outcomes out."""

from shared.messaging.addressed import (
    read_outcomes,
    to_lane,
)
from shared.schemas.wire import OutcomeReport


class Lane:
    """Puts messages into the worker's lane and reads what comes out."""

    def __init__(self, broker) -> None:
        self._broker = broker
        self._reports: list[OutcomeReport] = []

    async def put(self, message) -> None:
        outgoing = to_lane(message)
        await self._broker.put(outgoing.routing_key, outgoing.body)

    async def put_again(self, message) -> None:
        """The same, and it was in a worker's hands before."""
        await self.put(message)
        await self._broker.give_back("email.queue")

    async def report(self) -> OutcomeReport:
        while not self._reports:
            batch = await self._broker.take("status.queue")
            self._reports += read_outcomes(batch.body).reports
        return self._reports.pop(0)

    async def dead_letter(self):
        return await self._broker.take("failed.queue")

    async def waiting(self, queue: str = "email.queue") -> int:
        return await self._broker.count(queue)
