"""Puts a channel worker together: what it stands on, in the order in which it opens."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import Field

from shared.cache import Cache, Pace, ProfileCache
from shared.config import BrokerSettings, CacheSettings, ServiceSettings
from shared.delivery.channel import ChannelKind
from shared.delivery.judgement import Judge
from shared.delivery.licence import Licences
from shared.delivery.people import People
from shared.delivery.pipeline import Pipeline
from shared.delivery.pool import ProviderPool
from shared.delivery.provider import Provider
from shared.delivery.reception import Reception
from shared.delivery.settler import Settler
from shared.delivery.templates import Templates
from shared.delivery.turnstile import Turnstile
from shared.http import neighbour
from shared.messaging import Consumer, Link, Publisher
from shared.messaging.topology import lanes, queue_of
from shared.resilience.schedule import RetrySchedule
from shared.resource import Resource

Content = TypeVar("Content")

SendRate = Annotated[float, Field(ge=0.01, le=100_000)]
"""Sends a second, of all workers together."""

_HELD_SECONDS = 5.0


class DeliverySettings(ServiceSettings, BrokerSettings, CacheSettings):
    """What every channel worker reads."""

    max_retry_attempts: int = Field(
        default=3, ge=0, le=50, description="Retries after the first attempt."
    )
    priority_slots: int = Field(
        default=8, ge=1, le=500, description="Sends at once on the priority lane."
    )
    normal_slots: int = Field(default=12, ge=1, le=500, description="The same, normal lane.")
    bulk_slots: int = Field(default=6, ge=1, le=500, description="The same, bulk lane.")
    prefetch_per_slot: int = Field(
        default=12, ge=1, le=100, description="Messages held for each slot."
    )

    @property
    def slots(self) -> tuple[int, int, int]:
        """Sends at once on each lane, the most urgent first: none waits for another's."""
        return self.priority_slots, self.normal_slots, self.bulk_slots


def delivery_resources(
    settings: DeliverySettings,
    channel: ChannelKind[Content],
    providers: Sequence[Provider[Content]],
    rates: Mapping[str, float | None] | None = None,
) -> list[Resource]:
    """Everything that delivers one channel, in the order in which it opens.

    `rates`: by a provider's name, the most sends a second of all workers together.
    """
    cache = Cache(settings.redis_url.get_secret_value())
    consuming, publishing = _links(settings)
    publisher = Publisher(publishing)
    user_service = neighbour(settings, "user_service")
    template_service = neighbour(settings, "template_service")
    licences = Licences(cache)
    slots = dict(zip(lanes(channel.name), settings.slots, strict=True))
    capped = {name: rate for name, rate in (rates or {}).items() if rate is not None}
    pool = ProviderPool(
        f"{channel.name}-providers",
        providers,
        slots,
        failures=settings.circuit_breaker_failure_threshold,
        recovery_seconds=settings.circuit_breaker_recovery_timeout,
        turnstiles={
            name: Turnstile(name, Pace(cache, name, rate)) for name, rate in capped.items()
        },
    )
    settler = Settler(licences, publisher)
    pipeline = Pipeline(
        channel,
        People(ProfileCache(cache), user_service),
        Templates(template_service),
        licences,
        pool,
        Judge(RetrySchedule(settings.max_retry_attempts), channel.on_unknown),
    )
    reception = Reception(pipeline, settler, publisher)
    rate = capped.get(providers[0].name)
    consumers = [
        Consumer(
            consuming,
            queue_of(lane),
            reception.receive,
            prefetch=_prefetch(settings, count, rate),
        )
        for lane, count in slots.items()
    ]
    for consumer in consumers:
        pool.watch(on_out=consumer.pause, on_back=consumer.resume)
    # Closed in reverse, once the consumers are drained: the engines last.
    return [
        cache,
        user_service,
        template_service,
        publishing,
        consuming,
        licences,
        *pool.members,
        pool,
        *consumers,
        settler,
    ]


def _links(settings: DeliverySettings) -> tuple[Link, Link]:
    url = settings.rabbitmq_url.get_secret_value()
    consuming = Link(url, f"{settings.service_name}-consuming", essential=True)
    return consuming, Link(url, f"{settings.service_name}-publishing")


def _prefetch(settings: DeliverySettings, slots: int, rate: float | None) -> int:
    """Messages that a lane holds: no more than a capped provider takes within some seconds."""
    most = slots * settings.prefetch_per_slot
    return most if rate is None else min(most, math.ceil(rate * _HELD_SECONDS))
