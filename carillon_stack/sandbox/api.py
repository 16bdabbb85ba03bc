"""The sandbox's own HTTP API: what was received, how much, and which faults are on."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from carillon_stack.sandbox.faults import FAULT_LIST, FaultTable
from carillon_stack.sandbox.messages import Channel, Message
from carillon_stack.sandbox.shown import shown
from carillon_stack.sandbox.store import NEWEST, MessageStore


class MessageQuery(BaseModel):
    """What `GET /messages` is asked for."""

    model_config = ConfigDict(extra="forbid")

    channel: Channel | None = None
    to: str | None = None
    limit: Annotated[int, Field(ge=1, le=NEWEST)] = 100


class SandboxApi:
    """Routes for people and tests; the providers' own are the emulators'."""

    def __init__(self, store: MessageStore, faults: FaultTable) -> None:
        self._store = store
        self._faults = faults

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/messages", self._list, methods=["GET"]),
            Route("/messages", self._delete, methods=["DELETE"]),
            Route("/messages.ndjson", self._list_heads, methods=["GET"]),
            Route("/messages/{id}", self._read, methods=["GET"]),
            Route("/messages/{id}/source", self._read_source, methods=["GET"]),
            Route("/stats", self._stats, methods=["GET"]),
            Route("/faults", self._read_faults, methods=["GET"]),
            Route("/faults", self._replace_faults, methods=["PUT"]),
            *(Route(path, _probe, methods=["GET"]) for path in ("/livez", "/readyz", "/health")),
        ]

    async def _list(self, request: Request) -> Response:
        query = MessageQuery.model_validate(dict(request.query_params))
        found = self._store.newest(query.channel, query.to, query.limit)
        return await run_in_threadpool(_json, found)

    async def _list_heads(self, _: Request) -> Response:
        return StreamingResponse(self._store.heads(), media_type="application/x-ndjson")

    async def _read(self, request: Request) -> Response:
        found = self._store.find(request.path_params["id"])
        if found is None:
            return JSONResponse({"error": "no such message among the newest"}, 404)
        return JSONResponse(shown(found))

    async def _read_source(self, request: Request) -> Response:
        found = self._store.find(request.path_params["id"])
        if found is None or "raw" not in found.content:
            return JSONResponse({"error": "no such email among the newest"}, 404)
        return Response(found.content["raw"].encode("latin-1"), media_type="text/plain")

    async def _delete(self, _: Request) -> Response:
        await self._store.clear()
        return Response(status_code=204)

    async def _stats(self, _: Request) -> Response:
        return JSONResponse(self._store.stats())

    async def _read_faults(self, _: Request) -> Response:
        return JSONResponse([fault.model_dump(mode="json") for fault in self._faults.faults])

    async def _replace_faults(self, request: Request) -> Response:
        self._faults.replace(FAULT_LIST.validate_json(await request.body()))
        return await self._read_faults(request)


def explain_invalid(_: Request, error: Exception) -> Response:
    """A 422 that names each field and what is wrong with it."""
    problems = error.errors() if isinstance(error, ValidationError) else []
    fields = [
        {
            "path": ".".join(map(str, problem["loc"])),
            "problem": problem["msg"].removeprefix("Value error, "),
        }
        for problem in problems
    ]
    return JSONResponse({"error": "validation_failed", "fields": fields}, 422)


def _json(messages: list[Message]) -> Response:
    return Response(json.dumps([shown(m) for m in messages]), media_type="application/json")


async def _probe(_: Request) -> Response:
    status: Literal["ok"] = "ok"
    return JSONResponse({"status": status, "service": "sandbox", "dependencies": {}})
