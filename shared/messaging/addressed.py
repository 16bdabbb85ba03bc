"""Every message that travels, with its address: the counterpart of the topology's picture."""

from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import CarillonError
from shared.messaging.publisher import Outgoing
from shared.messaging.topology import (
    DIRECT,
    FAILED_KEY,
    RETRY,
    RETRY_HEADER,
    STATUS,
    STATUS_KEY,
    lane,
)
from shared.schemas.wire import WIRE_VERSION, NotificationMessage, OutcomeBatch, OutcomeReport

OUTCOME_HEADER = "outcome"
REASON_HEADER = "reason"


class _Versioned(BaseModel):
    version: int


class Unreadable(CarillonError):
    """The body is no message of ours."""


class NewerVersion(CarillonError):
    """The body is of a contract version that this process does not know yet."""


def headers(message: NotificationMessage) -> dict[str, Any]:
    """What a person who looks at the queue wants to see without opening the body."""
    shown: dict[str, Any] = {
        "notification-id": str(message.id),
        "generation": message.generation,
        "hop": message.hop,
        "attempt": message.attempt,
        "correlation-id": message.correlation_id,
    }
    if message.traceparent:
        shown["traceparent"] = message.traceparent
    return shown


def to_lane(message: NotificationMessage) -> Outgoing:
    """Into the lane of its channel and priority."""
    key = lane(message.channel, message.priority)
    return Outgoing(DIRECT, key, message.model_dump_json().encode(), headers(message))


def to_retry(message: NotificationMessage, delay_ms: int) -> Outgoing:
    """Into the retry queue of that delay, from where it falls back into its lane."""
    key = lane(message.channel, message.priority)
    shown = headers(message) | {RETRY_HEADER: delay_ms}
    return Outgoing(RETRY, key, message.model_dump_json().encode(), shown)


def to_dead_letters(message: NotificationMessage, report: OutcomeReport) -> Outgoing:
    """Into the dead letters, with what became of it."""
    shown = headers(message) | {
        REASON_HEADER: str(report.reason),
        OUTCOME_HEADER: report.model_dump_json(),
    }
    return Outgoing(DIRECT, FAILED_KEY, message.model_dump_json().encode(), shown)


def to_dead_letters_as_found(body: bytes, reason: str, found_in: str) -> Outgoing:
    """Into the dead letters, byte for byte, because nobody can read it."""
    return Outgoing(DIRECT, FAILED_KEY, body, {REASON_HEADER: reason, "found-in": found_in})


def to_status(reports: list[OutcomeReport]) -> Outgoing:
    """Many outcomes to the gateway."""
    return Outgoing(STATUS, STATUS_KEY, OutcomeBatch(reports=reports).model_dump_json().encode())


def read_notification(body: bytes) -> NotificationMessage:
    """The message in a body; raises Unreadable or NewerVersion."""
    try:
        message = NotificationMessage.model_validate_json(body)
    except ValidationError as error:
        raise _unreadable(body, error) from error
    if message.version > WIRE_VERSION:
        raise NewerVersion(f"version {message.version}")
    return message


def read_outcomes(body: bytes) -> OutcomeBatch:
    """The outcomes in a body; raises Unreadable or NewerVersion."""
    try:
        batch = OutcomeBatch.model_validate_json(body)
    except ValidationError as error:
        raise _unreadable(body, error) from error
    if batch.version > WIRE_VERSION:
        raise NewerVersion(f"version {batch.version}")
    return batch


def _unreadable(body: bytes, error: ValidationError) -> CarillonError:
    """A newer version may look wrong to us: its number tells it from noise."""
    try:
        version = _Versioned.model_validate_json(body).version
    except ValidationError:
        version = WIRE_VERSION
    if version > WIRE_VERSION:
        return NewerVersion(f"version {version}")
    first = error.errors(include_url=False, include_input=False)[0]
    return Unreadable(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}")
