"""What no service wants to see in a request, refused before anything is parsed.

Bodies over the limit (413); NUL or lone surrogates anywhere (422), because PostgreSQL stores
neither; numbers that JSON does not know, such as NaN (400); nesting that nobody means (422).
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import ApiError, FieldProblem, MalformedRequest, TooLarge, Unprocessable
from shared.service.failures import answer

MAX_BODY_BYTES = 256 * 1024
MAX_DEPTH = 32

_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|NaN|Infinity|[eE]\+?[0-9]{3,}")
_SURROGATE_OR_NUL = re.compile("[\x00\ud800-\udfff]")


class BodyGuard:
    """Reads the whole body, checks it, and hands it on."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            check_address(scope)
            body = await self._read(scope, receive)
            if body is not None:
                check_body(body)
        except ApiError as error:
            await answer(error)(scope, receive, send)
            return
        await self._app(scope, receive if body is None else _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length")
        if length is None and b"transfer-encoding" not in headers:
            return None
        if length is not None and length.isdigit() and int(length) > self._max_bytes:
            raise self._too_large()
        chunks, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self._max_bytes // 1024} KiB.")


def check_address(scope: Scope) -> None:
    """Raises Unprocessable when the path or the query contains a NUL."""
    if "\x00" in scope["path"]:
        raise Unprocessable("The path contains a NUL character.", [_nul("path")])
    if b"%00" in scope["query_string"] or b"\x00" in scope["query_string"]:
        raise Unprocessable("The query contains a NUL character.", [_nul("query")])


def check_body(body: bytes) -> None:
    """Raises ApiError for what no JSON body may hold; a body that is no JSON is left to others."""
    if not _SUSPICIOUS.search(body) and body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    try:
        parsed = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unprocessable("The body is nested too deeply.", [_too_deep("")]) from None
    except ValueError:
        return
    if problems := list(_problems(parsed, "", 0)):
        names = ", ".join(problem.path for problem in problems)
        raise Unprocessable(f"The request has wrong fields: {names}", problems)


def _problems(value: Any, path: str, depth: int) -> Iterator[FieldProblem]:
    if depth > MAX_DEPTH:
        yield _too_deep(path)
    elif isinstance(value, str):
        if _SURROGATE_OR_NUL.search(value):
            yield _nul(path or "body")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield FieldProblem(path or "body", "is a number outside of the range of a double")
    elif isinstance(value, dict | list):
        yield from _problems_inside(value, path, depth)


def _problems_inside(value: Any, path: str, depth: int) -> Iterator[FieldProblem]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(key, str) and _SURROGATE_OR_NUL.search(key):
            yield _nul(path or "body")
        else:
            yield from _problems(item, f"{path}.{key}" if path else str(key), depth + 1)


def _nul(path: str) -> FieldProblem:
    return FieldProblem(path, "must not contain NUL or lone surrogate characters")


def _too_deep(path: str) -> FieldProblem:
    return FieldProblem(path or "body", f"is nested deeper than {MAX_DEPTH} levels")


def _refuse_constant(name: str) -> Any:
    raise MalformedRequest(f"The body is not valid JSON: {name} is no JSON number.")


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
