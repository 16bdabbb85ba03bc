"""`/notifications`: send, and see what became of it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, Header, Query, Response
from pydantic import TypeAdapter

from api_gateway.accept.acceptor import Acceptor
from api_gateway.accept.order import Order
from api_gateway.status.reader import NotificationReader
from shared.cache import rate_limit_headers
from shared.errors import FieldProblem, NotFound, Unprocessable
from shared.observability import correlation
from shared.schemas.access import Caller, Scope
from shared.schemas.envelope import Envelope
from shared.schemas.notifications import Accepted, Notification, NotificationDetail, SendRequest
from shared.schemas.text import BigId
from shared.schemas.vocabulary import Channel, Status
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")

_KEY: TypeAdapter[UUID] = TypeAdapter(UUID)


def notification_routes(
    acceptor: Acceptor, reader: NotificationReader, default_lifetime: timedelta
) -> APIRouter:
    """The routes, on what they need."""
    router = APIRouter(tags=["notifications"])

    @router.post(
        "/notifications/send",
        status_code=202,
        summary="Send a notification",
        response_description="Committed: it will be delivered, or its status says why not.",
    )
    async def send_notification(
        body: SendRequest,
        response: Response,
        caller: Annotated[Caller, require(Scope.SEND)],
        idempotency_key: Annotated[
            str | None,
            Header(description="Up to 255 characters; repeats within 24 hours change nothing."),
        ] = None,
        traceparent: Annotated[str | None, Header(description="W3C trace context.")] = None,
    ) -> Envelope[Accepted]:
        now = datetime.now(UTC)
        answer = await acceptor.accept(
            Order(
                id=uuid_utils.uuid7(),
                request=body,
                caller=caller,
                correlation_id=correlation.current() or correlation.accepted_or_new(None),
                traceparent=_valid_traceparent(traceparent),
                idempotency_key=_valid_key(idempotency_key),
                created_at=now,
                expires_at=body.expires_at or now + default_lifetime,
            )
        )
        if answer.replayed:
            response.headers["Idempotency-Replayed"] = "true"
        if answer.allowance is not None:
            response.headers.update(rate_limit_headers(answer.allowance))
        return Envelope(
            data=answer.accepted,
            message=f"Notification queued successfully for {answer.channel}",
        )

    @router.get("/notifications/{request_id}", summary="Status and timeline of a notification")
    async def get_notification(
        request_id: UUID, _caller: Annotated[Caller, require(Scope.READ)]
    ) -> Envelope[NotificationDetail]:
        notification = await reader.get(request_id)
        if notification is None:
            raise NotFound(f"There is no notification {request_id}.")
        return Envelope(data=notification, message=_sentence(notification))

    @router.get("/notifications", summary="List notifications, newest first")
    async def list_notifications(
        _caller: Annotated[Caller, require(Scope.READ)],
        user_id: Annotated[BigId | None, Query()] = None,
        status: Annotated[Status | None, Query()] = None,
        channel: Annotated[Channel | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[Notification]]:
        return await listed(cursor, limit, user_id=user_id, status=status, channel=channel)

    @router.get("/users/{user_id}/notifications", summary="List a user's notifications")
    async def list_notifications_of_user(
        user_id: BigId,
        _caller: Annotated[Caller, require(Scope.READ)],
        status: Annotated[Status | None, Query()] = None,
        channel: Annotated[Channel | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[Notification]]:
        return await listed(cursor, limit, user_id=user_id, status=status, channel=channel)

    async def listed(
        cursor: str | None, limit: int, **filters: Any
    ) -> Envelope[list[Notification]]:
        before = key_in(cursor, _KEY)
        found = await reader.list(**filters, before=before, limit=limit + 1)
        return page(found, limit, key=lambda notification: notification.request_id)

    return router


def _sentence(notification: Notification) -> str:
    status = f"The notification is {notification.status}."
    return f"{status} {notification.meaning}" if notification.meaning else status


def _valid_key(header: str | None) -> str | None:
    """The key, quoted or bare, as the draft and its users write it."""
    if header is None:
        return None
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        problem = FieldProblem("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
        raise Unprocessable("The idempotency key is not valid.", [problem])
    return key


def _valid_traceparent(header: str | None) -> str | None:
    return header if header and _TRACEPARENT.fullmatch(header) else None
