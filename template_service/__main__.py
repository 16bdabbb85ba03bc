"""The template service, wired up."""

from pathlib import Path

from fastapi import FastAPI

from shared.config import load
from shared.database import Database
from shared.database.migrations import Migrations
from shared.http import Neighbour
from shared.service import create_app, keys, run
from template_service import authoring, jail, reading, repository, routes, trial
from template_service.settings import Settings


def build(settings: Settings) -> FastAPI:
    """The service, from its settings."""
    url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=settings.database_pool_size)
    migrations = Migrations(database, Path(__file__).parent / "migrations")
    token = settings.internal_service_token.get_secret_value()
    gateway = Neighbour("api_gateway", settings.api_gateway_url, token)
    tried = trial.Trial(jail.Jail())
    templates = repository.Templates(database)
    reader = reading.Reading(templates, tried)
    author = authoring.Authoring(database, templates, reader, tried)
    return create_app(
        settings,
        description="Templates in versions and languages, checked before they are saved.",
        resources=[database, migrations, gateway, tried],
        routers=routes.all_routes(reader, author),
        authenticate=keys.GatewayKeys(gateway),
    )


if __name__ == "__main__":
    settings = load(Settings)
    run(build(settings), settings)
