"""`POST /notifications/batch`: many notifications in one call, as a direct route."""

import hmac
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, Header
from starlette.responses import Response
from starlette.types import Scope as AsgiScope

from api_gateway.batches.acceptor import BatchAcceptor, Many
from api_gateway.batches.repository import BatchOrder
from api_gateway.batches.request import read_batch
from api_gateway.routes.send import valid_key, valid_traceparent
from shared.observability import correlation
from shared.schemas.access import Caller, Scope
from shared.schemas.batches import (
    MAX_BATCH_BYTES,
    BatchAccepted,
    BatchOfNotifications,
    BatchOfRecipients,
)
from shared.schemas.envelope import Envelope
from shared.service import BodyRule, require
from shared.service.access import caller_of
from shared.service.direct import Headers

BATCH_PATH = "/notifications/batch"
BATCH_BODY = BodyRule(MAX_BATCH_BYTES, is_many=True)


class SendBatch:
    """The endpoint: one request, many orders, one answer with a result for each."""

    def __init__(self, acceptor: BatchAcceptor, fingerprint_key: bytes) -> None:
        self._acceptor = acceptor
        self._fingerprint_key = fingerprint_key

    async def __call__(self, scope: AsgiScope, headers: Headers, body: bytes) -> Response:
        caller = await caller_of(scope, headers.get(b"authorization"), Scope.SEND)
        key = valid_key(headers.get(b"idempotency-key"))
        asked = read_batch(body)
        order = BatchOrder(
            id=uuid_utils.uuid7(),
            caller=caller,
            total=len(asked.items),
            key=key,
            fingerprint=self._fingerprint(asked.canonical) if key else b"",
            correlation_id=correlation.current() or correlation.accepted_or_new(None),
            created_at=datetime.now(UTC),
        )
        traceparent = valid_traceparent(headers.get(b"traceparent"))
        answer = await self._acceptor.accept(
            Many(order, asked.items, asked.users, traceparent, self._fingerprint_key)
        )
        told = {"Idempotency-Replayed": "true"} if answer.replayed else {}
        return Response(answer.body, 202, headers=told, media_type="application/json")

    def _fingerprint(self, given: Any) -> bytes:
        canonical = json.dumps([BATCH_PATH, given], sort_keys=True, separators=(",", ":"))
        return hmac.digest(self._fingerprint_key, canonical.encode(), "sha256")


def send_batch_documented() -> APIRouter:
    """The same route as the OpenAPI document shows it; a direct route takes its requests."""
    router = APIRouter(tags=["batches"])

    @router.post(
        BATCH_PATH,
        status_code=202,
        summary="Send many notifications in one call",
        description="Either up to 1,000 `notifications`, or one content for up to 10,000 "
        "`recipients`; at most 4 MiB. A bad item refuses only itself: look at `refused` and at "
        "the `results`, even if none was accepted.",
        response_description="The batch was taken up. What its results call accepted is committed.",
    )
    async def send_batch(
        body: BatchOfNotifications | BatchOfRecipients,
        caller: Annotated[Caller, require(Scope.SEND)],
        idempotency_key: Annotated[
            str | None,
            Header(
                description="For the batch as a whole: repeats within 24 hours change nothing, and "
                "complete what was interrupted. Each item may have its own `request_id` beside it."
            ),
        ] = None,
        traceparent: Annotated[str | None, Header(description="W3C trace context.")] = None,
    ) -> Envelope[BatchAccepted]:
        raise NotImplementedError

    return router
