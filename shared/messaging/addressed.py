"""Every message that travels, with its address: the counterpart of the topology's picture."""

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import CarillonError
from shared.messaging.outgoing import Outgoing
from shared.messaging.topology import (
    DIRECT,
    FAILED_KEY,
    RETRY,
    RETRY_HEADER,
    RETRY_TIERS_MS,
    STATUS,
    STATUS_KEY,
    key_of,
    lane,
)
from shared.schemas.wire import WIRE_VERSION, NotificationMessage, OutcomeBatch, OutcomeReport

OUTCOME_HEADER = "outcome"
REASON_HEADER = "reason"

# A report that goes on through the outbox carries its whole message, and RabbitMQ 4 refuses
# messages of more than 16 MiB.
_STATUS_BYTES = 1024 * 1024


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


def to_lane(message: NotificationMessage, body: bytes | None = None) -> Outgoing:
    """Into the lane of its channel and priority; `body` is its JSON, if written before."""
    key = lane(message.channel, message.priority)
    return Outgoing(DIRECT, key, body or message.model_dump_json().encode(), headers(message))


def to_retry(message: NotificationMessage, delay_ms: int) -> Outgoing:
    """Into the retry queue of that delay, from where it falls back into its lane."""
    key = lane(message.channel, message.priority)
    shown = headers(message) | {RETRY_HEADER: delay_ms}
    return Outgoing(RETRY, key, message.model_dump_json().encode(), shown)


def to_retry_as_found(body: bytes, shown: Mapping[str, Any], found_in: str) -> Outgoing:
    """Into a retry queue, byte for byte, from where it falls back into the queue it was found in.

    For a message that only another process can read: released, it would be delivered here again
    at once, before all others, and RabbitMQ counts that.
    """
    own = {name: value for name, value in shown.items() if not name.startswith("x-")}
    tier = random.choice(RETRY_TIERS_MS[-1])  # noqa: S311 - jitter, not a secret
    return Outgoing(RETRY, key_of(found_in), body, {**own, RETRY_HEADER: tier})


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


def to_status(reports: Iterable[OutcomeReport]) -> Outgoing:
    """Some outcomes to the gateway, in one message."""
    return _status(report.model_dump_json().encode() for report in reports)


def to_status_in_parts(reports: Iterable[OutcomeReport]) -> list[Outgoing]:
    """Any number of outcomes to the gateway, in as few messages as their size allows.

    What is said of one hop stays together, so that it is known as a whole or not at all.
    """
    batches: list[list[bytes]] = []
    room, more_follows = 0, False
    for report in reports:
        written = report.model_dump_json().encode()
        if len(written) > room and not more_follows:
            batches.append([])
            room = _STATUS_BYTES
        batches[-1].append(written)
        room -= len(written)
        more_follows = report.partial
    return [_status(batch) for batch in batches]


def _status(reports: Iterable[bytes]) -> Outgoing:
    return Outgoing(STATUS, STATUS_KEY, OutcomeBatch.joined(reports))


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


def outcomes_apart(body: bytes) -> list[bytes]:
    """The body of each outcome of a batch by itself; none where that cannot be told."""
    try:
        batch = json.loads(body)
        version, reports = batch["version"], list(batch["reports"])
    except (ValueError, RecursionError, LookupError, TypeError):
        return []
    return [json.dumps({"version": version, "reports": [one]}).encode() for one in reports]


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
