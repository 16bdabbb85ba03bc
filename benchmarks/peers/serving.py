"""How peers serve: by the suite's own runner."""

import os
from typing import ClassVar

from fastapi import FastAPI
from pydantic import BaseModel, SecretStr

from shared.config import ServiceSettings
from shared.service.resources import Resources
from shared.service.runner import run


class _PeerSettings(ServiceSettings):
    service_name: ClassVar[str] = "bench_peer"
    default_port: ClassVar[int] = 0


class Taken(BaseModel):
    """What peers answer."""

    request_id: str
    status: str = "queued"


def serve(app: FastAPI) -> None:
    """Serves on HOST and PORT until SIGTERM."""
    nobody = SecretStr("peers-show-nobody-a-token")
    app.state.resources = Resources("bench_peer", [])
    run(app, _PeerSettings(port=int(os.environ["PORT"]), internal_service_token=nobody))
