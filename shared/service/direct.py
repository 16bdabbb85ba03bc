"""Routes that are answered at once, past FastAPI's machinery, which documents them all the same.

FastAPI's way to an endpoint (routing, two exit stacks, dependencies solved anew for each request,
the answer validated and encoded) costs several times what a busy route itself does.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import ApiError, FieldProblem, MalformedRequest, Unprocessable
from shared.service.body import USUAL_BODY, BodyRule
from shared.service.failures import answer, from_problems

Model = TypeVar("Model", bound=BaseModel)
Headers = dict[bytes, bytes]
Endpoint = Callable[[Scope, Headers, bytes], Awaitable[Response]]
"""Answers a request from its ASGI scope, its headers and its body, or raises an ApiError."""


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """One method of one address, without parameters in its path."""

    method: str
    path: str
    endpoint: Endpoint
    body: BodyRule = USUAL_BODY


class Direct:
    """Middleware inside of BodyGuard: answers the direct routes, and passes everything else on."""

    def __init__(
        self, app: ASGIApp, routes: Sequence[DirectRoute], require: Callable[[], Awaitable[None]]
    ) -> None:
        self._app = app
        self._routes = {(route.method, route.path): route for route in routes}
        self._require = require

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http":
            route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        try:
            await self._require()
            body = (await receive()).get("body", b"")
            response = await route.endpoint(scope, dict(scope["headers"]), body)
        except ApiError as error:
            response = answer(error)
        await response(scope, receive, send)


def read(model: type[Model], headers: Headers, body: bytes) -> Model:
    """The body as a model; raises MalformedRequest or Unprocessable, as FastAPI's routes do."""
    if not body:
        missing = FieldProblem("body", "Field required")
        raise Unprocessable("The request has wrong fields: body", [missing])
    given: object = body
    if _is_json(headers.get(b"content-type", b"")):
        try:
            return model.model_validate_json(body)
        except ValidationError:
            given = _parsed(body)
    try:
        return model.model_validate(given, from_attributes=True)
    except ValidationError as error:
        raise from_problems(error.errors(include_url=False, include_input=False)) from error


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("The body is not valid JSON.") from error


@lru_cache(maxsize=100)
def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == b"application/json" or (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    )
