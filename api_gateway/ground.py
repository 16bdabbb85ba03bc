"""What the gateway stands on: engines, and the services behind it."""

from collections.abc import Sequence
from pathlib import Path

from api_gateway.accept.catalogue import Catalogue
from api_gateway.accept.hand_off import CONFIRM_SECONDS
from api_gateway.documents import Documents
from api_gateway.keys.repository import ApiKeyRepository
from api_gateway.keys.ring import KeyRing
from api_gateway.memory import Memory
from api_gateway.partitions import Partitions
from api_gateway.recovery.recoveries import Recoveries
from api_gateway.recovery.restoration import Restoration
from api_gateway.settings import GatewaySettings
from shared.cache import Cache
from shared.database import Database
from shared.database.migrations import Migrations
from shared.http import neighbour
from shared.messaging import Link, Publisher
from shared.outbox import Relay
from shared.service import Resource

# Without Redis an accept is as good, so one that waited is enough.
_REDIS_PATIENCE_SECONDS, _REDIS_FAILURES = 0.15, 1

# What accept has to itself, so that no slow read takes a connection from it: enough for the
# gatherings and parts of batches under way at once, and for looking API keys up.
_ACCEPTING_CONNECTIONS = 8


class Ground:
    """One of each, made from the settings and shared by all parts."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        url = settings.database_url.get_secret_value()
        rabbitmq = settings.rabbitmq_url.get_secret_value()
        first_key = settings.bootstrap_admin_key
        self.database = Database(url, pool_size=settings.database_pool_size)
        self.accepting = Database(url, pool_size=_ACCEPTING_CONNECTIONS, name="postgres-accepting")
        self.cache = Cache(
            settings.redis_url.get_secret_value(),
            timeout=_REDIS_PATIENCE_SECONDS,
            failures=_REDIS_FAILURES,
        )
        self.consuming = Link(rabbitmq, f"{settings.service_name}-consuming")
        self.publishing = Link(rabbitmq, f"{settings.service_name}-publishing")
        self.publisher = Publisher(self.publishing, confirm_seconds=CONFIRM_SECONDS)
        self.users = neighbour(settings, "user_service")
        self.templates = neighbour(settings, "template_service")
        self.catalogue = Catalogue(self.templates)
        self.relay = Relay(self.database, self.publisher)
        self.memory = Memory(self.database, self.consuming, self.cache)
        self.recoveries = Recoveries(self.database)
        self.restoration = Restoration(self.recoveries, self.memory, settings.restored_from)
        self.documents = Documents({"/users": self.users, "/templates": self.templates})
        self.keys = ApiKeyRepository(self.accepting)
        self.ring = KeyRing(self.keys, url, first_key.get_secret_value() if first_key else None)

    def resources(self) -> Sequence[Resource]:
        """In the order in which they open."""
        migrations = Migrations(self.database, Path(__file__).parent / "migrations")
        return [
            self.users,
            self.templates,
            self.catalogue,
            self.cache,
            self.memory,
            self.publishing,
            self.consuming,
            self.database,
            self.accepting,
            migrations,
            self.restoration,
            Partitions(self.database),
            self.ring,
            self.documents,
        ]
