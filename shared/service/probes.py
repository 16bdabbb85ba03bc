"""`/livez`, `/readyz`, `/health`, `/metrics` and `/`: open to everyone, the same everywhere."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from shared.observability.metrics import exposition
from shared.schemas.envelope import Envelope
from shared.service.resources import HealthReport, Resources


class Greeting(BaseModel):
    """What stands at the root of a service."""

    service: str
    documentation: str = "/docs"
    openapi: str = "/openapi.json"
    health: str = "/health"


def probes(service: str, resources: Resources) -> APIRouter:
    """The routes that need no key."""
    router = APIRouter(tags=["service"])

    @router.get("/", summary="Greeting, and where the documentation is")
    async def greet() -> Envelope[Greeting]:
        return Envelope(
            data=Greeting(service=service),
            message=f"This is Carillon's {service}. The API documentation is at /docs.",
        )

    @router.get("/livez", summary="Whether the process runs")
    async def live() -> Envelope[None]:
        return Envelope(data=None, message="alive")

    @router.get("/readyz", summary="Whether requests can be served", responses={503: {}})
    async def ready(request: Request, response: Response) -> HealthReport:
        return await _health(request, response)

    @router.get("/health", summary="Each dependency and its latency", responses={503: {}})
    async def health(request: Request, response: Response) -> HealthReport:
        return await _health(request, response)

    async def _health(_request: Request, response: Response) -> HealthReport:
        report = await resources.health()
        response.status_code = 503 if report.status == "down" else 200
        return report

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
