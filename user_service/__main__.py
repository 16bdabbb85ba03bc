"""Wiring of the user service."""

from pathlib import Path

from fastapi import FastAPI

from shared.cache import Cache, ProfileCache
from shared.config import load
from shared.database import Database
from shared.database.migrations import Migrations
from shared.http import Neighbour
from shared.service import create_app, run
from shared.service.keys import GatewayKeys
from user_service.changes import Changes
from user_service.passwords import Passwords
from user_service.routes import all_routes
from user_service.service import Users
from user_service.settings import Settings


def build(settings: Settings) -> FastAPI:
    """The service, from its settings."""
    url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=settings.database_pool_size)
    migrations = Migrations(database, Path(__file__).parent / "migrations")
    cache = Cache(settings.redis_url.get_secret_value())
    token = settings.internal_service_token.get_secret_value()
    gateway = Neighbour("api_gateway", settings.api_gateway_url, token)
    return create_app(
        settings,
        description="Who can be notified: users, their addresses, devices and preferences.",
        resources=[database, migrations, cache, gateway],
        routers=all_routes(Users(database, Changes(database, ProfileCache(cache)), Passwords())),
        authenticate=GatewayKeys(gateway),
    )


if __name__ == "__main__":
    run(build(chosen := load(Settings)), chosen)
