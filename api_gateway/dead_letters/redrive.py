"""Redriving: from dead letters to notifications in a new generation, in one transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from api_gateway.columns import columns
from api_gateway.dead_letters import statements
from api_gateway.status import ledger
from shared.masking import erased_names
from shared.messaging.addressed import NewerVersion, Unreadable, read_notification
from shared.schemas.dead_letters import Hindrance, LetterState
from shared.schemas.recipient import Recipient
from shared.schemas.vocabulary import Status
from shared.schemas.wire import WIRE_VERSION, NotificationMessage, OutcomeReport

_WENT_OUT = (Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED)
_LONGEST_DETAIL = 500

RESOLVED = {
    LetterState.REDRIVEN: Hindrance.ALREADY_REDRIVEN,
    LetterState.DISCARDED: Hindrance.DISCARDED,
}
"""What a letter's state says against doing anything with it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be different; `variables` are added to the stored ones, or take their place.

    `sensitive` are those that the template calls secrets now, beside those that it did.
    """

    variables: Mapping[str, Any] | None = field(default=None, repr=False)
    recipient: Recipient | None = None
    sensitive: frozenset[str] | None = None

    def of(self, message: NotificationMessage) -> NotificationMessage:
        """The message with what was edited."""
        changes: dict[str, Any] = {}
        if self.variables is not None:
            changes["variables"] = {**message.variables, **self.variables}
        if self.sensitive is not None:
            changes["sensitive"] = tuple(sorted(self.sensitive.union(message.sensitive or ())))
        if self.recipient is not None:
            # Devices and what they received say nothing of this address.
            changes |= {"recipient": self.recipient, "devices": None, "reached": False}
        return message.model_copy(update=changes)

    def __str__(self) -> str:
        """As the timeline tells of it."""
        told = ["redriven"]
        if self.variables:
            told.append(f"with other variables ({', '.join(sorted(self.variables))})")
        if self.recipient is not None:
            told.append("to another address")
        return " ".join(told)[:_LONGEST_DETAIL]


UNCHANGED = Edit()


async def redrive(
    connection: Any, letter_ids: Sequence[int], edit: Edit = UNCHANGED
) -> list[NotificationMessage | Hindrance]:
    """Sends letters again, on an asyncpg connection in a transaction; one answer for each.

    A letter is sent again only while its notification stands failed in that very generation. The
    letters exist, and their ids are sorted.
    """
    letters = await connection.fetch(statements.LOCK_LETTERS, letter_ids)
    ids = sorted({letter["notification_id"] for letter in letters} - {None})
    rows = await connection.fetch(statements.LOCK_NOTIFICATIONS, ids)
    by_id = {row["id"]: row for row in rows}
    now = datetime.now(UTC)
    answers = [
        _decide(letter, by_id.get(letter["notification_id"]), edit, now) for letter in letters
    ]
    again = {
        letter["id"]: answer
        for letter, answer in zip(letters, answers, strict=True)
        if isinstance(answer, NotificationMessage)
    }
    if again:
        await _write(connection, again, edit, now)
    return answers


def _decide(letter: Any, row: Any, edit: Edit, now: datetime) -> NotificationMessage | Hindrance:
    if hindrance := _hindrance(letter, row):
        return hindrance
    try:
        message = read_notification(letter["body"])
    except (Unreadable, NewerVersion):
        return Hindrance.UNREADABLE
    edited = edit.of(message)
    if erased_names(edited.variables, edited.sensitive):
        return Hindrance.VARIABLES_NEEDED
    lifetime = row["expires_at"] - (row["redriven_at"] or row["created_at"])
    return edited.model_copy(
        update={
            # Those that were reached are reached.
            "devices": edited.devices if edited.reached else None,
            "version": WIRE_VERSION,
            "generation": letter["generation"] + 1,
            "hop": 1,
            "attempt": 1,
            "waits": 0,
            "template_version": None,
            "created_at": now,
            "expires_at": now + lifetime,
        }
    )


def _hindrance(letter: Any, row: Any) -> Hindrance | None:
    if resolved := RESOLVED.get(letter["state"]):
        return resolved
    if letter["notification_id"] is None:
        return Hindrance.UNREADABLE
    if row is None:
        return Hindrance.NOTIFICATION_MISSING
    # A report that came too late to change the status has left its time.
    if row["status"] in _WENT_OUT or row["sent_at"] or row["delivered_at"]:
        return Hindrance.ALREADY_SENT
    if row["status"] != Status.FAILED or row["generation"] != letter["generation"]:
        return Hindrance.MOVED_ON
    return None


async def _write(
    connection: Any, again: Mapping[int, NotificationMessage], edit: Edit, now: datetime
) -> None:
    reports = [_report(message, str(edit), now) for message in again.values()]
    await ledger.record(connection, reports)
    renewed = columns(_renewed(message, edit, now) for message in again.values())
    await connection.execute(statements.RENEW, *renewed)
    await connection.execute(statements.RESOLVE, list(again), LetterState.REDRIVEN.value)


def _report(message: NotificationMessage, detail: str, now: datetime) -> OutcomeReport:
    """What the timeline says; the message goes on through the outbox."""
    return OutcomeReport(
        event_id=uuid5(message.id, f"{message.generation}:redriven"),
        notification_id=message.id,
        generation=message.generation,
        hop=message.hop,
        attempt=message.attempt,
        status=Status.QUEUED,
        detail=detail,
        at=now,
        onward=message,
        due=now,
        sensitive=message.sensitive,
    )


def _renewed(message: NotificationMessage, edit: Edit, now: datetime) -> tuple[Any, ...]:
    recipient = edit.recipient
    return (
        message.id,
        None if edit.variables is None else json.dumps(message.variables),
        None if recipient is None else recipient.model_dump_json(exclude_none=True),
        message.expires_at,
        now,
    )
