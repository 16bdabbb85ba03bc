"""How many messages wait in each queue, as a metric."""

import asyncio
from collections.abc import Sequence

import structlog

from shared.background import Background, Job
from shared.errors import BrokerUnavailable
from shared.messaging.link import Link
from shared.messaging.topology import TOPOLOGY
from shared.observability.metrics import QUEUE_MESSAGES

log = structlog.get_logger()

_SECONDS = 10.0


class Depths(Background):
    """Looks every ten seconds."""

    name = "queue-depths"

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def jobs(self) -> Sequence[Job]:
        return (self._watch,)

    async def _watch(self) -> None:
        while True:
            await self._link.wait()
            try:
                await self.measure()
            except BrokerUnavailable as error:
                log.debug("queue depths unknown", detail=str(error))
            await asyncio.sleep(_SECONDS)

    async def measure(self) -> None:
        """Asks RabbitMQ once; raises BrokerUnavailable."""
        async with self._link.using_channel() as channel:
            for queue in TOPOLOGY.queues:
                declared = await channel.declare_queue(queue.name, passive=True)
                count = declared.declaration_result.message_count or 0
                QUEUE_MESSAGES.labels(queue.name).set(count)
