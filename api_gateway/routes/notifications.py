"""`/notifications`: see what became of them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import TypeAdapter

from api_gateway.status.reader import NotificationReader
from shared.errors import NotFound
from shared.schemas.access import Caller, Scope
from shared.schemas.envelope import Envelope
from shared.schemas.notifications import Notification, NotificationDetail
from shared.schemas.text import BigId
from shared.schemas.vocabulary import Channel, Status
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page

_KEY: TypeAdapter[UUID] = TypeAdapter(UUID)


def notification_routes(reader: NotificationReader) -> APIRouter:
    """The routes, on what they need."""
    router = APIRouter(tags=["notifications"])

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
        batch_id: Annotated[UUID | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[Notification]]:
        wanted = {"user_id": user_id, "status": status, "channel": channel, "batch_id": batch_id}
        return await listed(cursor, limit, **wanted)

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
