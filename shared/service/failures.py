"""Errors become answers here, once: every failure leaves in the envelope."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.errors import (
    ApiError,
    Conflict,
    FieldProblem,
    Forbidden,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unprocessable,
)
from shared.schemas.envelope import failure_body

MOST_PROBLEMS = 50
"""How many fields one answer names: a small request shall not make a large answer."""

_BY_STATUS: dict[int, type[ApiError]] = {
    kind.status: kind
    for kind in (
        MalformedRequest,
        Unauthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        TooLarge,
        Unprocessable,
    )
}


def answer(error: ApiError, status: int | None = None) -> JSONResponse:
    """The response that tells a client of `error`."""
    body = failure_body(error)
    return JSONResponse(body, status_code=status or error.status, headers=error.headers)


def answer_to_a_bug() -> JSONResponse:
    """The response to a request that met one."""
    return answer(ApiError("The service met an unexpected error; its log has the trace."))


def register(app: FastAPI) -> None:
    """Installs the translations."""

    @app.exception_handler(ApiError)
    async def expected(_request: Request, error: ApiError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(Exception)
    async def bug(_request: Request, _error: Exception) -> JSONResponse:
        """It goes on to whoever logs it."""
        return answer_to_a_bug()

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(from_validation(error))

    @app.exception_handler(HTTPException)
    async def framework(_request: Request, error: HTTPException) -> JSONResponse:
        kind = _BY_STATUS.get(error.status_code, ApiError)
        translated = kind(str(error.detail))
        translated.headers |= dict(error.headers or {})
        return answer(translated, error.status_code)


def from_validation(error: RequestValidationError) -> ApiError:
    """400 when the body is no JSON, else 422 with each field and its problem."""
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems[:MOST_PROBLEMS]):
        return MalformedRequest("The body is not valid JSON.")
    return from_problems(problems)


def from_problems(problems: Sequence[Mapping[str, Any]]) -> Unprocessable:
    """422 with each field and its problem, from what pydantic says."""
    problems = problems[:MOST_PROBLEMS]
    fields = [FieldProblem(_path(p["loc"]), _sentence(p["msg"])) for p in problems]
    names = ", ".join(dict.fromkeys(field.path for field in fields))
    return Unprocessable(f"The request has wrong fields: {names}", fields)


def _path(location: tuple[int | str, ...]) -> str:
    parts = [str(part) for part in location if part not in ("body", "query", "path", "header")]
    return ".".join(parts) or str(location[0] if location else "body")


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")
