"""The gateway's wiring."""

from fastapi import FastAPI

from api_gateway import parts
from api_gateway.ground import Ground
from api_gateway.settings import GatewaySettings
from shared.config import load
from shared.service import create_app, run

DESCRIPTION = "The one door: send notifications, follow them, manage users, templates and keys."


def build(settings: GatewaySettings) -> FastAPI:
    """The gateway, from its settings."""
    ground = Ground(settings)
    makers = (
        parts.accept,
        parts.collect,
        parts.look_after,
        parts.dead_letters,
        parts.keys,
        parts.forward,
    )
    whole = [make(ground) for make in makers]
    app = create_app(
        settings,
        description=DESCRIPTION,
        resources=[*ground.resources(), *(r for part in whole for r in part.resources)],
        routers=[router for part in whole for router in part.routers],
        direct=[route for part in whole for route in part.direct],
        authenticate=ground.ring,
        open_loopback=settings.open_loopback,
    )
    ground.documents.serve_on(app)
    return app


if __name__ == "__main__":
    run(build(chosen := load(GatewaySettings)), chosen)
