"""`POST /notifications/send`: the way in, as a direct route."""

import re
from datetime import UTC, datetime
from typing import Annotated

import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, Header
from starlette.responses import Response
from starlette.types import Scope as AsgiScope

from api_gateway.accept.acceptor import Acceptor
from api_gateway.accept.order import Answer, Order
from shared.cache import rate_limit_headers
from shared.errors import FieldProblem, Unprocessable
from shared.masking import Secrets
from shared.observability import correlation, discretion
from shared.schemas.access import Caller, Scope
from shared.schemas.envelope import Envelope
from shared.schemas.notifications import Accepted, SendRequest
from shared.schemas.text import idempotency_key as valid_idempotency_key
from shared.service import require
from shared.service.access import caller_of
from shared.service.direct import Headers, read

SEND_PATH = "/notifications/send"

_Envelope = Envelope[Accepted]
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Send:
    """The endpoint: one request, one order, one answer."""

    def __init__(self, acceptor: Acceptor, fingerprint_key: bytes) -> None:
        self._acceptor = acceptor
        self._fingerprint_key = fingerprint_key

    async def __call__(self, scope: AsgiScope, headers: Headers, body: bytes) -> Response:
        caller = await caller_of(scope, headers.get(b"authorization"), Scope.SEND)
        request = read(SendRequest, headers, body)
        # Which of them are secrets is known later.
        discretion.keep(Secrets(request.variables, None))
        answer = await self._acceptor.accept(
            Order(
                id=uuid_utils.uuid7(),
                request=request,
                caller=caller,
                correlation_id=correlation.current() or correlation.accepted_or_new(None),
                traceparent=valid_traceparent(headers.get(b"traceparent")),
                idempotency_key=valid_key(headers.get(b"idempotency-key")) or request.request_id,
                fingerprint_key=self._fingerprint_key,
                created_at=datetime.now(UTC),
            )
        )
        return _accepted(answer)


def send_documented() -> APIRouter:
    """The same route as the OpenAPI document shows it; a direct route takes its requests."""
    router = APIRouter(tags=["notifications"])

    @router.post(
        SEND_PATH,
        status_code=202,
        summary="Send a notification",
        response_description="Committed: it will be delivered, or its status says why not.",
    )
    async def send_notification(
        body: SendRequest,
        caller: Annotated[Caller, require(Scope.SEND)],
        idempotency_key: Annotated[
            str | None,
            Header(
                description="Up to 255 characters; repeats within 24 hours change nothing. "
                "It wins over a `request_id` in the body."
            ),
        ] = None,
        traceparent: Annotated[str | None, Header(description="W3C trace context.")] = None,
    ) -> Envelope[Accepted]:
        raise NotImplementedError

    return router


def _accepted(answer: Answer) -> Response:
    envelope = _Envelope(
        data=answer.accepted,
        message=f"Notification queued successfully for {answer.channel}",
    )
    headers = {}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    if answer.allowance is not None:
        headers.update(rate_limit_headers(answer.allowance))
    return Response(envelope.model_dump_json(), 202, headers=headers, media_type="application/json")


def valid_key(header: bytes | None) -> str | None:
    """The key, quoted or bare, as the draft and its users write it."""
    if header is None:
        return None
    key = header.decode("latin-1")
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    try:
        return valid_idempotency_key(key)
    except ValueError as error:
        problem = FieldProblem("Idempotency-Key", str(error))
        raise Unprocessable("The idempotency key is not valid.", [problem]) from error


def valid_traceparent(header: bytes | None) -> str | None:
    """The W3C trace context; what is none is left out."""
    return header.decode() if header and _TRACEPARENT.fullmatch(header) else None
