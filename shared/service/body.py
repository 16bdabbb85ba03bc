"""What no service wants to see in a request, refused before anything is parsed.

Bodies over the limit (413); what is no UTF-8, and numbers that JSON does not know, such as NaN
(400); NUL or lone surrogates anywhere, because PostgreSQL stores neither, numbers that no double
holds, and nesting that nobody means (422).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import ApiError, FieldProblem, MalformedRequest, TooLarge, Unprocessable
from shared.service.failures import MOST_PROBLEMS, answer

MAX_BODY_BYTES = 256 * 1024
MAX_DEPTH = 32

# Many digits, or an exponent of three: only such a number can leave the range of a double.
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|NaN|Infinity|[eE]\+?[0-9]{3,}|[0-9]{200,}")
_SURROGATE_OR_NUL = re.compile("[\x00\ud800-\udfff]")
_CONTAINERS = (dict, list)


@dataclass(frozen=True, slots=True)
class BodyRule:
    """What a route takes. `is_many`: it checks each item of its body by itself."""

    max_bytes: int = MAX_BODY_BYTES
    is_many: bool = False


BodyRules = Mapping[tuple[str, str], BodyRule]
"""By method and path, where it is not the usual one."""

USUAL_BODY = BodyRule()


def rule_of(scope: Scope, rules: BodyRules) -> BodyRule:
    """What the route of a request takes."""
    return rules.get((scope["method"], scope["path"]), USUAL_BODY)


class BodyGuard:
    """Reads the whole body, checks it, and hands it on."""

    def __init__(self, app: ASGIApp, rules: BodyRules | None = None) -> None:
        self._app = app
        self._rules = rules or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            check_address(scope)
            rule = rule_of(scope, self._rules)
            body = await _read(scope, receive, rule.max_bytes)
            if body is not None and rule.is_many:
                check_text(body)
            elif body is not None:
                check_body(body)
        except ApiError as error:
            await answer(error)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        await self._app(scope, receive if body is None else _replay(body, receive), send)


async def _read(scope: Scope, receive: Receive, max_bytes: int) -> bytes | None:
    headers = dict(scope["headers"])
    length = headers.get(b"content-length")
    if length is None and b"transfer-encoding" not in headers:
        return None
    if length is not None and length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than {max_bytes // 1024} KiB.")


def check_address(scope: Scope) -> None:
    """Raises Unprocessable when the path or the query holds a NUL, or bytes that are no text."""
    for part, raw in (("path", scope["raw_path"]), ("query", scope["query_string"])):
        if b"%" not in raw and b"\x00" not in raw and raw.isascii():
            continue
        try:
            text = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            text = "\x00"
        if "\x00" in text:
            raise Unprocessable(f"The {part} contains what is no text.", [_nul(part)])


def check_body(body: bytes) -> None:
    """Raises ApiError for what no JSON body may hold; a body that is no JSON is left to others."""
    check_text(body)
    if not _SUSPICIOUS.search(body) and body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    try:
        parsed = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unprocessable("The body is nested too deeply.", [_too_deep("")]) from None
    except ValueError:
        return
    if problems := list(islice(_problems(parsed, "", 0), MOST_PROBLEMS)):
        names = ", ".join(problem.path for problem in problems)
        raise Unprocessable(f"The request has wrong fields: {names}", problems)


def check_text(body: bytes) -> None:
    """Raises MalformedRequest for what is no text."""
    if b"\x00" in body or not _is_utf8(body):
        raise MalformedRequest("The body is not valid JSON: its text is not UTF-8.")


def read_many(body: bytes) -> tuple[Any, bool]:
    """The JSON of a body whose items are checked one by one, and whether they must be.

    Raises MalformedRequest.
    """
    is_suspicious = _SUSPICIOUS.search(body) is not None
    try:
        if is_suspicious:
            return json.loads(body, parse_constant=_refuse_constant), True
        return from_json(body, cache_strings="keys"), False
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("The body is not valid JSON.") from error


def check_item(item: Any, *, is_suspicious: bool) -> None:
    """Raises Unprocessable for what no item of a body may hold; `item` is parsed."""
    if not is_suspicious and _is_flat(item):
        return
    if problems := list(islice(_problems(item, "", 0), MOST_PROBLEMS)):
        names = ", ".join(problem.path for problem in problems)
        raise Unprocessable(f"The request has wrong fields: {names}", problems)


def _is_flat(item: Any) -> bool:
    """Whether it is surely not nested too deeply: most items hold an object of texts at most."""
    if not isinstance(item, dict):
        return not isinstance(item, list)
    for value in item.values():
        kind = type(value)
        if kind is list:
            return False
        if kind is dict:
            for inner in value.values():
                if type(inner) in _CONTAINERS:
                    return False
    return True


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


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
