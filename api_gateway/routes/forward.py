"""`/users…` and `/templates…`: checked here, answered by the services that own them."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from shared.http import Neighbour
from shared.schemas.access import Caller, Scope
from shared.service import require

_SECONDS = 20.0  # a client's request may be larger than a question among services
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_PASSED_ON = ("content-type", "accept", "accept-language", "if-match", "if-none-match")
_PASSED_BACK = ("content-type", "retry-after", "location", "etag", "cache-control", "allow")


def forward_routes(prefix: str, scope: Scope, neighbour: Neighbour) -> APIRouter:
    """Everything under `prefix`, for callers with `scope`."""
    router = APIRouter(include_in_schema=False)

    @router.api_route(prefix, methods=_METHODS)
    @router.api_route(prefix + "/{rest:path}", methods=_METHODS)
    async def forward(request: Request, _caller: Annotated[Caller, require(scope)]) -> Response:
        raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
        answer = await neighbour.request(
            request.method,
            raw_path.decode("ascii").split("?")[0],
            params=request.scope["query_string"].decode("ascii"),
            content=await request.body(),
            headers={n: request.headers[n] for n in _PASSED_ON if n in request.headers},
            timeout=_SECONDS,
        )
        headers = {n: answer.headers[n] for n in _PASSED_BACK if n in answer.headers}
        return Response(answer.content, status_code=answer.status_code, headers=headers)

    return router
