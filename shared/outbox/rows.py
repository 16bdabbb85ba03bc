"""Rows of the outbox: what stands in one, and how `statements.INSERT` takes it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from shared.schemas.wire import NotificationMessage


@dataclass(frozen=True, slots=True)
class Written:
    """A message and its JSON, which is written once: for its row, and for RabbitMQ."""

    message: NotificationMessage
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, message: NotificationMessage) -> Self:
        return cls(message, message.model_dump_json().encode())


def outbox_row(message: NotificationMessage, due: datetime) -> tuple[Any, ...]:
    """The message, to be published at `due`."""
    return (
        message.id,
        message.generation,
        message.hop,
        message.priority.rank,
        due,
        message.model_dump_json().encode(),
    )
