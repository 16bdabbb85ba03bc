"""create_app: from settings, resources and routes to an application with everything around it."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence

import structlog
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from shared.config import ServiceSettings
from shared.resource import Resource
from shared.schemas.access import Caller
from shared.schemas.envelope import Failure
from shared.service import failures
from shared.service.access import Access, Authenticator
from shared.service.body import BodyGuard
from shared.service.direct import Direct, DirectRoute
from shared.service.doorkeeper import Doorkeeper
from shared.service.observed import Observed
from shared.service.probes import probes
from shared.service.resources import Resources

log = structlog.get_logger()

_STARTUP_PATIENCE_SECONDS = 10.0


async def _nobody(_key: str) -> Caller | None:
    return None


def create_app(
    settings: ServiceSettings,
    *,
    description: str,
    resources: Sequence[Resource],
    routers: Sequence[APIRouter] = (),
    direct: Sequence[DirectRoute] = (),
    authenticate: Authenticator = _nobody,
    open_loopback: bool = False,
) -> FastAPI:
    """An application that opens its resources, answers in the envelope and shows its health.

    While it starts, connections wait; after some seconds without an engine it serves anyway, so
    that callers are told 503 instead of waiting, and goes on opening.
    """
    name = settings.service_name
    opened = Resources(name, resources, grace_seconds=settings.grace_seconds)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        opening = asyncio.create_task(opened.open())
        leaving = asyncio.create_task(opened.leaving.wait())
        await asyncio.wait(
            [opening, leaving],
            timeout=_STARTUP_PATIENCE_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if opening.done():
            opening.result()
        else:
            opening.add_done_callback(_stop_after_a_bug)
        log.info("serving", ready=opened.all_open)
        try:
            yield
        finally:
            for task in (opening, leaving):
                task.cancel()
            await asyncio.gather(opening, leaving, return_exceptions=True)
            await opened.close()
            log.info("stopped")

    app = FastAPIOffline(  # its documentation page loads nothing from elsewhere
        title=f"Carillon {name.replace('_', ' ')}",
        description=description,
        version="0.1.0",
        lifespan=lifespan,
        responses={"4XX": {"model": Failure}, "5XX": {"model": Failure}},
        generate_unique_id_function=_operation_id,
        separate_input_output_schemas=False,
        # The suite has metrics and correlation ids of its own; unused, it costs at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.resources = opened
    app.state.access = Access(
        authenticate, settings.internal_service_token, open_loopback=open_loopback
    )
    failures.register(app)
    app.include_router(probes(name, opened))
    for router in routers:
        app.include_router(router, dependencies=[Depends(opened.require)])
    # Around FastAPI's own middleware and its telemetry, which direct routes have no use for.
    whole = Direct(app.build_middleware_stack(), direct, opened.require)
    rules = {(route.method, route.path): route.body for route in direct}
    app.middleware_stack = Observed(Doorkeeper(BodyGuard(whole, rules), rules))
    return app


def _stop_after_a_bug(opening: asyncio.Task[None]) -> None:
    """What cannot be opened for another reason than a missing engine is not served for ever."""
    if not opening.cancelled() and (error := opening.exception()) is not None:
        log.error("cannot start", exc_info=error)
        signal.raise_signal(signal.SIGTERM)


def _operation_id(route: APIRoute) -> str:
    return route.name
