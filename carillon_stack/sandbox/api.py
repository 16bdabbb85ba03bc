"""The sandbox's own HTTP API: what was received, how much, and which faults are on."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
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


def api_routes(store: MessageStore, faults: FaultTable) -> list[BaseRoute]:
    """Routes for people and tests; the providers' own are the emulators'."""

    async def list_messages(request: Request) -> Response:
        query = MessageQuery.model_validate(dict(request.query_params))
        found = store.newest(query.channel, query.to, query.limit)
        return await run_in_threadpool(_json, found)

    async def read_message(request: Request) -> Response:
        found = store.find(request.path_params["id"])
        if found is None:
            return JSONResponse({"error": "no such message among the newest"}, 404)
        return JSONResponse(shown(found))

    async def read_source(request: Request) -> Response:
        found = store.find(request.path_params["id"])
        if found is None or "raw" not in found.content:
            return JSONResponse({"error": "no such email among the newest"}, 404)
        return Response(found.content["raw"].encode("latin-1"), media_type="text/plain")

    async def delete_messages(_: Request) -> Response:
        await store.clear()
        return Response(status_code=204)

    async def stats(_: Request) -> Response:
        return JSONResponse(store.stats())

    async def read_faults(_: Request) -> Response:
        return JSONResponse([fault.model_dump(mode="json") for fault in faults.faults])

    async def replace_faults(request: Request) -> Response:
        faults.replace(FAULT_LIST.validate_json(await request.body()))
        return await read_faults(request)

    return [
        Route("/messages", list_messages, methods=["GET"]),
        Route("/messages", delete_messages, methods=["DELETE"]),
        Route("/messages/{id}", read_message, methods=["GET"]),
        Route("/messages/{id}/source", read_source, methods=["GET"]),
        Route("/stats", stats, methods=["GET"]),
        Route("/faults", read_faults, methods=["GET"]),
        Route("/faults", replace_faults, methods=["PUT"]),
        *(Route(path, _probe, methods=["GET"]) for path in ("/livez", "/readyz", "/health")),
    ]


def explain_invalid(_: Request, error: Exception) -> Response:
    """A 422 that names each field and what is wrong with it."""
    problems = error.errors() if isinstance(error, ValidationError) else []
    fields = [
        {"path": ".".join(map(str, problem["loc"])), "problem": problem["msg"].removeprefix("Value error, ")}
        for problem in problems
    ]
    return JSONResponse({"error": "validation_failed", "fields": fields}, 422)


def _json(messages: list[Message]) -> Response:
    return Response(json.dumps([shown(m) for m in messages]), media_type="application/json")


async def _probe(_: Request) -> Response:
    status: Literal["ok"] = "ok"
    return JSONResponse({"status": status, "service": "sandbox", "dependencies": {}})
