"""One OpenAPI document for the one door: the gateway's own, and those of the services behind."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI

from shared.background import Background, Job
from shared.errors import NeighbourUnavailable
from shared.http import Neighbour

log = structlog.get_logger()

_RETRY_SECONDS = 2.0
_REFRESH_SECONDS = 300.0


class Documents(Background):
    """Fetches the neighbours' documents and keeps them fresh."""

    name = "openapi-documents"

    def __init__(self, neighbours: Mapping[str, Neighbour]) -> None:
        super().__init__()
        self._neighbours = neighbours
        self._fetched: dict[str, dict[str, Any]] = {}
        self._own: dict[str, Any] | None = None

    def serve_on(self, app: FastAPI) -> None:
        """From now on the application's document contains the neighbours' paths too."""
        make_own = app.openapi

        def merged() -> dict[str, Any]:
            if self._own is None:
                self._own = make_own()
            return merge(self._own, [(p, self._fetched[p]) for p in self._fetched])

        app.openapi = merged  # type: ignore[method-assign]

    def jobs(self) -> Sequence[Job]:
        return (self._keep,)

    async def _keep(self) -> None:
        while True:
            complete = all([await self._fetch(p, n) for p, n in self._neighbours.items()])
            await asyncio.sleep(_REFRESH_SECONDS if complete else _RETRY_SECONDS)

    async def _fetch(self, prefix: str, neighbour: Neighbour) -> bool:
        try:
            answer = await neighbour.request("GET", "/openapi.json")
        except NeighbourUnavailable:
            return False
        if not answer.is_success:
            return False
        self._fetched[prefix] = answer.json()
        return True


def merge(own: dict[str, Any], others: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """`own` with the paths below each prefix, and all components, of the other documents."""
    merged = {**own, "paths": dict(own["paths"]), "components": dict(own.get("components", {}))}
    for prefix, document in others:
        for path, operations in document["paths"].items():
            if path == prefix or path.startswith(prefix + "/"):
                merged["paths"].setdefault(path, operations)
        for kind, components in document.get("components", {}).items():
            merged["components"][kind] = {**components, **merged["components"].get(kind, {})}
    return merged
