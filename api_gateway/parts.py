"""The gateway's parts, each put together on its ground: resources to open, routes to serve."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import APIRouter

from api_gateway.accept.acceptor import Acceptor
from api_gateway.accept.catalogue import Catalogue
from api_gateway.accept.hand_off import HandOff
from api_gateway.accept.repository import Acceptances
from api_gateway.dead_letters.collector import DeadLetterCollector
from api_gateway.ground import Ground
from api_gateway.housekeeping import Housekeeping
from api_gateway.routes.api_keys import api_key_routes
from api_gateway.routes.forward import forward_routes
from api_gateway.routes.notifications import notification_routes
from api_gateway.status.collector import Collector
from api_gateway.status.reader import NotificationReader
from shared.cache import RateLimiter
from shared.messaging import Consumer
from shared.messaging.consumer import Handler
from shared.messaging.depths import Depths
from shared.messaging.topology import FAILED_QUEUE, STATUS_QUEUE
from shared.outbox import Relay
from shared.schemas.access import Scope
from shared.service import Resource

_STATUS_PREFETCH = 50
_FAILED_PREFETCH = 100


@dataclass(frozen=True, slots=True)
class Part:
    """Resources in the order in which they open, and routes."""

    resources: Sequence[Resource] = ()
    routers: Sequence[APIRouter] = field(default=())


def accept(ground: Ground) -> Part:
    """The way in, with the outbox behind it."""
    settings = ground.settings
    limiter = RateLimiter(
        ground.cache, limit=settings.rate_limit_per_user, window_seconds=settings.rate_limit_window
    )
    acceptances, relay = Acceptances(ground.database), Relay(ground.database, ground.publisher)
    hand_off = HandOff(relay)
    acceptor = Acceptor(acceptances, Catalogue(ground.templates), limiter, hand_off)
    lifetime = timedelta(hours=settings.default_lifetime_hours)
    routes = notification_routes(acceptor, NotificationReader(ground.database), lifetime)
    return Part([relay, hand_off, Housekeeping(acceptances)], [routes])


def collect(ground: Ground) -> Part:
    """The way back: outcomes and dead letters into their tables."""
    outcomes = Collector(ground.database, ground.publisher)
    dead_letters = DeadLetterCollector(ground.database)
    return Part(
        [
            _consumer(ground, STATUS_QUEUE, outcomes.receive, _STATUS_PREFETCH),
            _consumer(ground, FAILED_QUEUE, dead_letters.receive, _FAILED_PREFETCH),
            Depths(ground.consuming),
        ]
    )


def keys(ground: Ground) -> Part:
    """API keys."""
    return Part(routers=[api_key_routes(ground.keys, ground.ring)])


def forward(ground: Ground) -> Part:
    """The services behind the one door."""
    return Part(
        routers=[
            forward_routes("/users", Scope.USERS, ground.users),
            forward_routes("/templates", Scope.TEMPLATES, ground.templates),
        ]
    )


def _consumer(ground: Ground, queue: str, handler: Handler, prefetch: int) -> Consumer:
    grace = ground.settings.grace_seconds
    return Consumer(ground.consuming, queue, handler, prefetch=prefetch, grace_seconds=grace)
