"""One request on its way through accept, and what a caller is answered."""

import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from shared.cache import Allowance
from shared.outbox import Written
from shared.schemas.access import Caller
from shared.schemas.notifications import Accepted, SendRequest
from shared.schemas.vocabulary import Channel, OnUnknown, Priority
from shared.schemas.wire import NotificationMessage


def fingerprint_key(internal_token: SecretStr) -> bytes:
    """What fingerprints are made with: the same in every gateway, and after a restart."""
    secret = internal_token.get_secret_value().encode()
    return hmac.digest(secret, b"carillon: fingerprints of requests", "sha256")


# The request was validated, and so are the rest's own values: only what they stand in is missing.
_BLANK = NotificationMessage(
    id=UUID(int=0),
    channel=Channel.EMAIL,
    user_id=1,
    template_id="blank",
    correlation_id="blank",
    created_at=datetime.fromtimestamp(0, UTC),
    expires_at=datetime.fromtimestamp(0, UTC),
)


def _message(**values: Any) -> NotificationMessage:
    return _BLANK.model_copy(update=values)


@dataclass(frozen=True, slots=True)
class Hold:
    """A batch, and who takes it up: nobody else adds to it while the hold lasts."""

    batch_id: UUID
    holder: UUID


@dataclass(slots=True)
class Order:
    """A validated request and everything that accept learns about it.

    `expires_at` and `on_unknown` are known once its category was looked at. Of a batch it has
    the hold, and its position in it.
    """

    id: UUID
    request: SendRequest
    caller: Caller
    correlation_id: str
    traceparent: str | None
    idempotency_key: str | None
    fingerprint_key: bytes = field(repr=False)
    created_at: datetime
    hold: Hold | None = None
    position: int | None = None
    expires_at: datetime = field(init=False)
    on_unknown: OnUnknown | None = None
    template_version: int | None = None
    sensitive: tuple[str, ...] | None = None
    allowance: Allowance | None = None
    _written: Written | None = field(default=None, init=False, repr=False)

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
        """HMAC of the canonical body: the same key with another body is a mistake.

        Without the key of this installation nobody can try out which code it was made from.
        A `request_id` that is the key itself is not part of it: the key may move to the header.
        """
        is_the_key = self.request.request_id == self.idempotency_key
        body = self.request.model_dump(
            mode="json", exclude_defaults=True, exclude={"request_id"} if is_the_key else None
        )
        canonical = json.dumps(
            ["/notifications/send", body],
            sort_keys=True,
            separators=(",", ":"),
        )
        return hmac.digest(self.fingerprint_key, canonical.encode(), "sha256")

    def written(self) -> Written:
        """The message for its lane, made when all is known about it."""
        if self._written is None:
            self._written = Written.of(self._message())
        return self._written

    def _message(self) -> NotificationMessage:
        request = self.request
        return _message(
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
            sensitive=self.sensitive,
            batch_id=self.hold.batch_id if self.hold else None,
            correlation_id=self.correlation_id,
            traceparent=self.traceparent,
            created_at=self.created_at,
            expires_at=self.expires_at,
            on_unknown=self.on_unknown,
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
