"""The gateway's parts, each put together from what it needs: resources to open, routes to serve."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import APIRouter

from api_gateway.accept.acceptor import Acceptor
from api_gateway.accept.catalogue import Catalogue
from api_gateway.accept.hand_off import HandOff
from api_gateway.accept.repository import Acceptances
from api_gateway.dead_letters.collector import DeadLetterCollector
from api_gateway.documents import Documents
from api_gateway.housekeeping import Housekeeping
from api_gateway.keys.repository import ApiKeyRepository
from api_gateway.keys.ring import KeyRing
from api_gateway.routes.api_keys import api_key_routes
from api_gateway.routes.forward import forward_routes
from api_gateway.routes.notifications import notification_routes
from api_gateway.settings import GatewaySettings
from api_gateway.status.collector import Collector
from api_gateway.status.reader import NotificationReader
from shared.cache import Cache, RateLimiter
from shared.database import Database
from shared.http import Neighbour
from shared.messaging import Consumer, Link, Publisher
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


def keys(repository: ApiKeyRepository, ring: KeyRing) -> Part:
    """API keys."""
    return Part([ring], [api_key_routes(repository, ring)])


def accept(
    settings: GatewaySettings,
    database: Database,
    cache: Cache,
    publisher: Publisher,
    templates: Neighbour,
) -> Part:
    """The way in, with the outbox behind it."""
    limiter = RateLimiter(
        cache, limit=settings.rate_limit_per_user, window_seconds=settings.rate_limit_window
    )
    acceptances, relay = Acceptances(database), Relay(database, publisher)
    hand_off = HandOff(relay)
    acceptor = Acceptor(acceptances, Catalogue(templates), limiter, hand_off)
    lifetime = timedelta(hours=settings.default_lifetime_hours)
    routes = notification_routes(acceptor, NotificationReader(database), lifetime)
    return Part([relay, hand_off, Housekeeping(acceptances)], [routes])


def collect(
    settings: GatewaySettings, database: Database, link: Link, publisher: Publisher
) -> Part:
    """The way back: outcomes and dead letters into their tables."""
    status, failed = Collector(database, publisher), DeadLetterCollector(database)
    grace = settings.grace_seconds
    return Part(
        [
            Consumer(
                link, STATUS_QUEUE, status.receive, prefetch=_STATUS_PREFETCH, grace_seconds=grace
            ),
            Consumer(
                link, FAILED_QUEUE, failed.receive, prefetch=_FAILED_PREFETCH, grace_seconds=grace
            ),
            Depths(link),
        ]
    )


def forward(documents: Documents, users: Neighbour, templates: Neighbour) -> Part:
    """The services behind the one door."""
    return Part(
        [users, templates, documents],
        [
            forward_routes("/users", Scope.USERS, users),
            forward_routes("/templates", Scope.TEMPLATES, templates),
        ],
    )
