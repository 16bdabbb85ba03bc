"""The client: send notifications, see what became of them, and everything they need."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, Unpack
from urllib.parse import quote
from uuid import UUID, uuid4

from carillon_client.api_keys import ApiKeys
from carillon_client.batches import Batches
from carillon_client.dead_letters import DeadLetters
from carillon_client.fields import ContentFields, NotificationFields
from carillon_client.recoveries import Recoveries
from carillon_client.templates import Templates
from carillon_client.transport import Transport
from carillon_client.users import Users
from shared.schemas.batches import BatchAccepted
from shared.schemas.notifications import Accepted, Notification, NotificationDetail
from shared.schemas.vocabulary import Channel, Priority, Status

_LOOK_EVERY_SECONDS = 0.2


class Carillon:
    """A gateway, called with an API key; close it, or use it in a `with`.

        with Carillon("http://127.0.0.1:8000", api_key) as carillon:
            carillon.send(user_id=1, channel="email", template_id="welcome_email")

    `timeout` in seconds for each step of a call; `attempts` for one call, if nobody answers. Calls
    raise CarillonError; ValueError says that the address or the key can be none.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 10.0,
        attempts: int = 4,
    ) -> None:
        self._transport = Transport(base_url, api_key, timeout=timeout, attempts=attempts)
        self.users = Users(self._transport)
        self.templates = Templates(self._transport)
        self.api_keys = ApiKeys(self._transport)
        self.batches = Batches(self._transport)
        self.dead_letters = DeadLetters(self._transport)
        self.recoveries = Recoveries(self._transport)

    def send(
        self,
        *,
        user_id: int,
        channel: Channel | str,
        template_id: str,
        variables: Mapping[str, Any] | None = None,
        priority: Priority | str = Priority.NORMAL,
        category: str | None = None,
        locale: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Asks for one notification; once this returns it is durable.

        A lost answer is asked for again under the same idempotency key, made here if not given:
        that never sends twice.
        """
        request = {
            "user_id": user_id,
            "channel": channel,
            "template_id": template_id,
            "variables": variables or {},
            "priority": priority,
            "category": category,
            "locale": locale,
            "metadata": metadata or {},
            "expires_at": expires_at,
        }
        return self._transport.call(
            "POST",
            "/notifications/send",
            Accepted,
            body=request,
            idempotency_key=idempotency_key or uuid4().hex,
        ).data

    def send_batch(
        self,
        notifications: Sequence[NotificationFields] | None = None,
        *,
        recipients: Sequence[int | Mapping[str, Any]] | None = None,
        idempotency_key: str | None = None,
        **content: Unpack[ContentFields],
    ) -> BatchAccepted:
        """Asks for up to 1,000 notifications, or for one content to up to 10,000 recipients.

            carillon.send_batch([{"user_id": 1, "channel": "email", "template_id": "welcome"}])
            carillon.send_batch(
                recipients=[1, {"user_id": 2, "variables": {"name": "Ada"}}],
                channel="email",
                template_id="welcome",
                variables={"name": "friend"},
            )

        A bad item refuses only itself: look at the results. A lost answer is asked for again under
        the same idempotency key, made here if not given: that never sends twice.
        """
        return self.batches.send(notifications, recipients, idempotency_key, **content)

    def notification(self, request_id: UUID | str) -> NotificationDetail:
        """Where it stands, and its timeline."""
        path = f"/notifications/{quote(str(request_id), safe='')}"
        return self._transport.call("GET", path, NotificationDetail).data

    def notifications(
        self,
        *,
        user_id: int | None = None,
        status: Status | str | None = None,
        channel: Channel | str | None = None,
        batch_id: UUID | str | None = None,
        limit: int | None = None,
    ) -> Iterator[Notification]:
        """The newest first; all without a limit."""
        batch = None if batch_id is None else str(batch_id)
        wanted = {"user_id": user_id, "status": status, "channel": channel, "batch_id": batch}
        return self._transport.pages("/notifications", Notification, params=wanted, limit=limit)

    def follow(
        self, request_id: UUID | str, *, seconds: float = 60.0
    ) -> Iterator[NotificationDetail]:
        """The notification each time that it has changed, until it is final or the time is over."""
        deadline = time.monotonic() + seconds
        seen = None
        while True:
            now = self.notification(request_id)
            if now != seen:
                yield now
            if now.status.is_final or time.monotonic() > deadline:
                return
            seen = now
            time.sleep(_LOOK_EVERY_SECONDS)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
