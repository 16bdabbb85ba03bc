"""The gateway's parts, each put together on its ground: resources to open, routes to serve."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import APIRouter

from api_gateway.accept.acceptor import Acceptor
from api_gateway.accept.categories import Categories
from api_gateway.accept.hand_off import HandOff
from api_gateway.accept.order import fingerprint_key
from api_gateway.accept.repository import Acceptances
from api_gateway.batches.acceptor import BatchAcceptor
from api_gateway.batches.cancellation import Cancellation
from api_gateway.batches.reader import BatchReader
from api_gateway.batches.repository import BatchRepository
from api_gateway.dead_letters.census import Census
from api_gateway.dead_letters.collector import DeadLetterCollector
from api_gateway.dead_letters.jobs import DeadLetterJobs
from api_gateway.dead_letters.letters import DeadLetters
from api_gateway.dead_letters.reader import DeadLetterReader
from api_gateway.dead_letters.runner import JobRunner
from api_gateway.ground import Ground
from api_gateway.housekeeping import Housekeeping
from api_gateway.reconciler.reconciler import Reconciler
from api_gateway.reconciler.repository import StalledNotifications
from api_gateway.recovery.batch import Batches
from api_gateway.recovery.runner import RecoveryRunner
from api_gateway.routes.api_keys import api_key_routes
from api_gateway.routes.batches import batch_routes
from api_gateway.routes.dead_letter_jobs import bulk_routes, dead_letter_job_routes
from api_gateway.routes.dead_letters import dead_letter_routes
from api_gateway.routes.forward import forward_routes
from api_gateway.routes.notifications import notification_routes
from api_gateway.routes.recoveries import recovery_routes
from api_gateway.routes.send import SEND_PATH, Send, send_documented
from api_gateway.routes.send_batch import (
    BATCH_BODY,
    BATCH_PATH,
    SendBatch,
    send_batch_documented,
)
from api_gateway.status.collector import Collector
from api_gateway.status.reader import NotificationReader
from shared.cache import RateLimiter
from shared.delivery.cancelled import CancelledBatches
from shared.delivery.claims import Claims
from shared.messaging import Consumer
from shared.messaging.depths import Depths
from shared.messaging.topology import FAILED_QUEUE, STATUS_QUEUE
from shared.schemas.access import Scope
from shared.service import DirectRoute, Resource

_STATUS_PREFETCH = 50
_FAILED_PREFETCH = 100


@dataclass(frozen=True, slots=True)
class Part:
    """Resources in the order in which they open, and routes; the direct ones are documented too."""

    resources: Sequence[Resource] = ()
    routers: Sequence[APIRouter] = field(default=())
    direct: Sequence[DirectRoute] = ()


def accept(ground: Ground) -> Part:
    """The way in, with the outbox behind it."""
    settings = ground.settings
    limiter = RateLimiter(
        ground.cache, limit=settings.rate_limit_per_user, window_seconds=settings.rate_limit_window
    )
    acceptances, hand_off = Acceptances(ground.accepting), HandOff(ground.relay)
    categories = Categories(
        default_lifetime=timedelta(hours=settings.default_lifetime_hours),
        lifetimes=settings.category_lifetimes,
        on_unknown=settings.category_on_unknown,
    )
    acceptor = Acceptor(acceptances, categories, ground.catalogue, limiter, hand_off)
    batches = BatchAcceptor(acceptor, BatchRepository(ground.accepting))
    reader = NotificationReader(ground.database)
    key = fingerprint_key(settings.internal_service_token)
    return Part(
        [
            ground.relay,
            hand_off,
            Housekeeping(Acceptances(ground.database), BatchRepository(ground.database)),
        ],
        [send_documented(), send_batch_documented(), notification_routes(reader)],
        [
            DirectRoute("POST", SEND_PATH, Send(acceptor, key)),
            DirectRoute("POST", BATCH_PATH, SendBatch(batches, key), BATCH_BODY),
        ],
    )


def collect(ground: Ground) -> Part:
    """The way back: outcomes and dead letters into their tables."""
    outcomes = Collector(ground.database, ground.publisher)
    letters = DeadLetterCollector(ground.database, ground.publisher)
    return Part(
        [
            Consumer(ground.consuming, STATUS_QUEUE, outcomes.receive, prefetch=_STATUS_PREFETCH),
            Consumer(ground.consuming, FAILED_QUEUE, letters.receive, prefetch=_FAILED_PREFETCH),
            Depths(ground.consuming),
        ]
    )


def look_after(ground: Ground) -> Part:
    """What was lost on its way is sent once more: by itself, or all of it on demand."""
    settings, claims = ground.settings, Claims(ground.cache)
    reconciler = Reconciler(
        StalledNotifications(ground.database),
        ground.consuming,
        claims,
        ground.memory,
        ground.restoration,
        after=timedelta(seconds=settings.reconcile_after),
        every=timedelta(seconds=settings.reconcile_interval),
    )
    batches = Batches(ground.database, claims)
    runner = RecoveryRunner(
        ground.recoveries, batches, ground.memory, ground.consuming, ground.relay
    )
    routes = recovery_routes(ground.recoveries, ground.memory, runner)
    return Part([reconciler, runner], [routes])


def dead_letters(ground: Ground) -> Part:
    """What failed: seen, sent again, discarded; one by one, by jobs, or as a batch."""
    letters = DeadLetters(ground.database, ground.catalogue, ground.relay)
    jobs = DeadLetterJobs(ground.database)
    runner = JobRunner(jobs, ground.relay)
    reader = DeadLetterReader(ground.database)
    cancellation = Cancellation(ground.database, CancelledBatches(ground.cache))
    return Part(
        [runner, Census(ground.database)],
        [
            bulk_routes(reader, jobs, runner),
            dead_letter_job_routes(jobs),
            dead_letter_routes(reader, letters),
            batch_routes(BatchReader(ground.database), cancellation, jobs, runner),
        ],
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
