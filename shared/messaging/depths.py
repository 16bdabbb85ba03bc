"""How many messages wait in each queue, asked and as a metric."""

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
        for queue, count in (await depths(self._link)).items():
            QUEUE_MESSAGES.labels(queue).set(count)


async def depths(link: Link) -> dict[str, int]:
    """Messages that wait in each queue, those in a consumer's hands left out.

    Raises BrokerUnavailable.
    """
    async with link.using_channel() as channel:
        counts = {}
        for queue in TOPOLOGY.queues:
            declared = await channel.declare_queue(queue.name, passive=True)
            counts[queue.name] = declared.declaration_result.message_count or 0
        return counts
