"""Batches: see how many notifications fare as one, retry what failed, cancel the rest."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack
from urllib.parse import quote
from uuid import UUID, uuid4

from carillon_client.fields import ContentFields, NotificationFields
from carillon_client.transport import Transport
from shared.schemas.batches import Batch, BatchAccepted, BatchCancelled, BatchSummary
from shared.schemas.dead_letters import DeadLetterJob


class Batches:
    """`/batches…`; every call raises CarillonError.

    Looking needs a key with the scope `read`, cancelling `send`, retrying `admin`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(
        self,
        notifications: Sequence[NotificationFields] | None,
        recipients: Sequence[int | Mapping[str, Any]] | None,
        idempotency_key: str | None,
        **content: Unpack[ContentFields],
    ) -> BatchAccepted:
        """As `Carillon.send_batch`."""
        if (notifications is None) == (recipients is None):
            raise ValueError("Give either notifications or recipients.")
        if notifications is not None and content:
            raise ValueError("Each of the notifications has a content of its own.")
        body: dict[str, Any] = (
            {"notifications": notifications}
            if notifications is not None
            else {"recipients": recipients, **content}
        )
        return self._transport.call(
            "POST",
            "/notifications/batch",
            BatchAccepted,
            body=body,
            idempotency_key=idempotency_key or uuid4().hex,
        ).data

    def get(self, batch_id: UUID | str) -> Batch:
        """Its state, and how many of its notifications stand where, and why."""
        return self._transport.call("GET", _path(batch_id), Batch).data

    def list(self, *, limit: int | None = None) -> Iterator[BatchSummary]:
        """The newest first; all without a limit."""
        return self._transport.pages("/batches", BatchSummary, limit=limit)

    def retry_failed(self, batch_id: UUID | str, *, rate_per_second: int = 50) -> DeadLetterJob:
        """A job that sends its open dead letters again; `dead_letters.follow` tells of it."""
        body = {"rate_per_second": rate_per_second}
        path = f"{_path(batch_id)}/retry-failed"
        return self._transport.call("POST", path, DeadLetterJob, body=body).data

    def cancel(self, batch_id: UUID | str) -> BatchCancelled:
        """Nothing more of it begins; what was begun goes out."""
        return self._transport.call("POST", f"{_path(batch_id)}/cancel", BatchCancelled).data


def _path(batch_id: UUID | str) -> str:
    return f"/batches/{quote(str(batch_id), safe='')}"
