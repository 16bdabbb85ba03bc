"""The gateway's wiring."""

from pathlib import Path

from fastapi import FastAPI

from api_gateway import parts
from api_gateway.documents import Documents
from api_gateway.keys.repository import ApiKeyRepository
from api_gateway.keys.ring import KeyRing
from api_gateway.partitions import Partitions
from api_gateway.settings import GatewaySettings
from shared.cache import Cache
from shared.config import load
from shared.database import Database
from shared.database.migrations import Migrations
from shared.http import neighbour
from shared.messaging import Link, Publisher
from shared.service import create_app, run

DESCRIPTION = "The one door: send notifications, follow them, manage users, templates and keys."


def build(settings: GatewaySettings) -> FastAPI:
    """The gateway, from its settings."""
    url, rabbitmq = settings.database_url.get_secret_value(), settings.rabbitmq_url
    database = Database(url, pool_size=settings.database_pool_size)
    cache = Cache(settings.redis_url.get_secret_value())
    consuming = Link(rabbitmq.get_secret_value(), "api_gateway-consuming")
    publishing = Link(rabbitmq.get_secret_value(), "api_gateway-publishing")
    publisher = Publisher(publishing)
    users, templates = neighbour(settings, "user_service"), neighbour(settings, "template_service")
    documents = Documents({"/users": users, "/templates": templates})
    key_repository = ApiKeyRepository(database)
    first_key = settings.bootstrap_admin_key
    ring = KeyRing(key_repository, url, first_key.get_secret_value() if first_key else None)
    migrations = Migrations(database, Path(__file__).parent / "migrations")
    whole = [
        parts.Part([database, migrations, Partitions(database), cache, publishing, consuming]),
        parts.keys(key_repository, ring),
        parts.accept(settings, database, cache, publisher, templates),
        parts.collect(settings, database, consuming, publisher),
        parts.forward(documents, users, templates),
    ]
    app = create_app(
        settings,
        description=DESCRIPTION,
        resources=[resource for part in whole for resource in part.resources],
        routers=[router for part in whole for router in part.routers],
        authenticate=ring,
        open_loopback=settings.open_loopback,
    )
    documents.serve_on(app)
    return app


if __name__ == "__main__":
    run(build(chosen := load(GatewaySettings)), chosen)
