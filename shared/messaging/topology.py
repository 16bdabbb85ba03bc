"""Every exchange and queue in RabbitMQ, as data. Valid on RabbitMQ 3.10 and on 4.x.

    notifications.direct ──email.priority──▶ email.priority.queue   critical, high
                         ──email───────────▶ email.queue            normal
                         ──email.bulk──────▶ email.bulk.queue       low, batches
                         ──(the same for push and sms)
                         ──failed──────────▶ failed.queue           dead letters
    notifications.retry  ──retry-delay=2000▶ retry.2000.queue ──(after 2.0 s)──▶ its own lane
    notifications.status ──outcome─────────▶ status.queue           what became of each
    notifications.direct ──status──────────▶ status.queue           the same, put off before

Every queue is a quorum queue: replicated where there are several nodes, and on disk everywhere.
Arguments of a queue cannot change once it exists: a change here needs a new name.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel

from shared.schemas.vocabulary import Channel, Priority

DIRECT = "notifications.direct"
RETRY = "notifications.retry"
STATUS = "notifications.status"

FAILED_KEY = "failed"
FAILED_QUEUE = "failed.queue"
STATUS_KEY = "outcome"
STATUS_QUEUE = "status.queue"
RETRY_HEADER = "retry-delay"

RETRY_TIERS_MS = ((2000, 2300, 2600), (4000, 4600, 5200), (8000, 9200, 10400))
"""Three queues a tier, chosen at random: that is the jitter. Milliseconds."""

_LANE_DELIVERY_LIMIT = 1000
# Without a dead-letter exchange a message at the limit is gone, and without a limit newer
# versions set one of 20: this one is out of reach.
_UNREACHABLE_DELIVERY_LIMIT = 1_000_000_000

_LANE_SUFFIX = {
    Priority.CRITICAL: ".priority",
    Priority.HIGH: ".priority",
    Priority.NORMAL: "",
    Priority.LOW: ".bulk",
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange; all of them are durable."""

    name: str
    kind: ExchangeType


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue and the binding that fills it.

    What comes back from a retry queue is bound too: it leaves that by `notifications.direct`.
    """

    name: str
    exchange: str
    routing_key: str
    arguments: dict[str, Any] = field(default_factory=dict)
    binding: dict[str, Any] = field(default_factory=dict)
    comes_back: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """All that must exist before a message can travel."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]

    async def declare(self, channel: AbstractChannel) -> None:
        """Makes whatever is missing; what exists stays as it is."""
        exchanges = {
            exchange.name: await channel.declare_exchange(
                exchange.name, exchange.kind, durable=True
            )
            for exchange in self.exchanges
        }
        for queue in self.queues:
            declared = await channel.declare_queue(
                queue.name, durable=True, arguments={"x-queue-type": "quorum", **queue.arguments}
            )
            await declared.bind(
                exchanges[queue.exchange], queue.routing_key, arguments=queue.binding or None
            )
            if queue.comes_back:
                await declared.bind(exchanges[DIRECT], key_of(queue.name))


def lane(channel: Channel, priority: Priority) -> str:
    """The routing key of the lane that a notification travels on."""
    return f"{channel}{_LANE_SUFFIX[priority]}"


def lanes(channel: Channel) -> tuple[str, str, str]:
    """The routing keys of a channel's lanes, the most urgent first."""
    return f"{channel}.priority", f"{channel}", f"{channel}.bulk"


def queue_of(routing_key: str) -> str:
    """The queue behind a lane's routing key."""
    return f"{routing_key}.queue"


def key_of(queue: str) -> str:
    """The routing key that leads into a queue of `notifications.direct`."""
    return queue.removesuffix(".queue")


def retry_tier(delay: float) -> int | None:
    """The queue, by its delay in milliseconds, for a wait of `delay` seconds; None if none fits."""
    for tier in RETRY_TIERS_MS:
        if delay * 1000 <= tier[0]:
            return random.choice(tier)  # noqa: S311 - jitter, not a secret
    return None


def _dead_lettered() -> dict[str, Any]:
    return {
        "x-dead-letter-exchange": DIRECT,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _lane_queues() -> list[Queue]:
    arguments = {
        "x-delivery-limit": _LANE_DELIVERY_LIMIT,
        "x-dead-letter-routing-key": FAILED_KEY,
        **_dead_lettered(),
    }
    keys = [key for channel in Channel for key in lanes(channel)]
    return [Queue(queue_of(key), DIRECT, key, arguments) for key in keys]


def _retry_queues() -> list[Queue]:
    return [
        Queue(
            f"retry.{delay}.queue",
            RETRY,
            "",
            {"x-message-ttl": delay, **_dead_lettered()},
            {"x-match": "all", RETRY_HEADER: delay},
        )
        for tier in RETRY_TIERS_MS
        for delay in tier
    ]


_KEPT = {"x-delivery-limit": _UNREACHABLE_DELIVERY_LIMIT}

TOPOLOGY = Topology(
    exchanges=(
        Exchange(DIRECT, ExchangeType.DIRECT),
        Exchange(RETRY, ExchangeType.HEADERS),
        Exchange(STATUS, ExchangeType.DIRECT),
    ),
    queues=(
        *_lane_queues(),
        *_retry_queues(),
        Queue(FAILED_QUEUE, DIRECT, FAILED_KEY, _KEPT),
        Queue(STATUS_QUEUE, STATUS, STATUS_KEY, _KEPT, comes_back=True),
    ),
)
