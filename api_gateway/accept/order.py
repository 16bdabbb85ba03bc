"""One request on its way through accept, and what a caller is answered."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.cache import Allowance
from shared.schemas.access import Caller
from shared.schemas.notifications import Accepted, SendRequest
from shared.schemas.vocabulary import Channel, Priority
from shared.schemas.wire import NotificationMessage


@dataclass(slots=True)
class Order:
    """A validated request and everything that accept learns about it."""

    id: UUID
    request: SendRequest
    caller: Caller
    correlation_id: str
    traceparent: str | None
    idempotency_key: str | None
    created_at: datetime
    expires_at: datetime
    template_version: int | None = None
    allowance: Allowance | None = None

    @property
    def api_key_id(self) -> int:
        """The scope of idempotency keys; 0 for callers without a key of their own."""
        return self.caller.key_id or 0

    @property
    def key(self) -> tuple[int, str] | None:
        return (self.api_key_id, self.idempotency_key) if self.idempotency_key else None

    @property
    def bucket(self) -> str:
        """The rate limit that it counts for: urgent messages have one of their own."""
        kind = "critical" if self.request.priority is Priority.CRITICAL else "default"
        return f"{kind}:{self.request.user_id}"

    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical body: the same key with another body is a mistake."""
        canonical = json.dumps(
            ["/notifications/send", self.request.model_dump(mode="json")],
            sort_keys=True,
            separators=(",", ":"),
        )
        return hashlib.sha256(canonical.encode()).digest()

    def message(self) -> NotificationMessage:
        """The message for its lane."""
        request = self.request
        return NotificationMessage(
            id=self.id,
            channel=request.channel,
            priority=request.priority,
            category=request.category,
            mode=self.caller.mode,
            user_id=request.user_id,
            template_id=request.template_id,
            template_version=self.template_version,
            locale=request.locale,
            variables=request.variables,
            correlation_id=self.correlation_id,
            traceparent=self.traceparent,
            created_at=self.created_at,
            expires_at=self.expires_at,
        )

    def answer(self) -> Accepted:
        return Accepted(
            request_id=self.id,
            channel=self.request.channel,
            correlation_id=self.correlation_id,
            remaining_requests=self.allowance.remaining if self.allowance else 0,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told: `replayed` when the same key was answered before."""

    accepted: Accepted
    allowance: Allowance | None = None
    replayed: bool = False

    @property
    def channel(self) -> Channel:
        return self.accepted.channel


@dataclass(frozen=True, slots=True)
class Known:
    """What stands under an idempotency key."""

    fingerprint: bytes
    answer: dict[str, Any]
