"""run: one process of a service, until SIGTERM."""

import gc
import socket

import uvicorn
from fastapi import FastAPI

from shared.config import ServiceSettings
from shared.observability import logs
from shared.service.resources import Resources
from shared.service.server import Connection, Server

BACKLOG = 4096

_NEW_OBJECTS = 20_000
"""How many make the garbage collector look: Python's 700 are some requests' worth."""


def run(app: FastAPI, settings: ServiceSettings) -> None:
    """Serves `app`; at SIGTERM it finishes what is in flight within the grace time."""
    resources: Resources = app.state.resources
    logs.configure(settings.service_name, settings.log_level)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port or settings.default_port,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, int(resources.draining_seconds)),
    )
    inherited = None
    if settings.listen_fd is not None:
        inherited = [socket.socket(fileno=settings.listen_fd)]
    _spare_what_stays()
    Server(config, resources.leave).run(sockets=inherited)


def _spare_what_stays() -> None:
    """The collector never looks again at what was made until now: modules, models, routes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
