"""The message that is on its way for a notification, made anew from its row and its timeline.

What travels stands in no table. Whoever must send it once more gets it here: the very copy, so
that its claim is the one that the lost copy had.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from shared.schemas.vocabulary import Status
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()

UNDER_WAY = tuple(status for status in Status if not status.is_final)
"""Statuses of a notification that something is still on its way for."""

HOP = f"(n.hop + (n.rank >= {Status.RETRYING.rank})::int)"
"""In SQL, of a row `n` of `notifications`: the hop on its way. A retry or a deferral began it."""

EVENTS = """
SELECT notification_id, generation, hop, attempt, status, device, started_at, at
FROM notification_events WHERE notification_id = ANY($1::uuid[])
ORDER BY notification_id, generation, hop, at, event_id
"""
"""What `messages` wants to know of the notifications with these ids."""


def messages(rows: Iterable[Any], events: Iterable[Any]) -> dict[UUID, NotificationMessage]:
    """The message on its way for each row of `notifications` that is under way, by id, in order.

    One that cannot be made any more is left out: it harms no neighbour.
    """
    timelines = {
        notification_id: list(timeline)
        for notification_id, timeline in groupby(events, key=lambda e: e["notification_id"])
    }
    made = {}
    for row in rows:
        try:
            made[row["id"]] = _message(row, timelines.get(row["id"], []))
        except ValidationError as error:
            log.error("no message for a notification", id=str(row["id"]), detail=str(error))
    return made


def _message(row: Any, timeline: Sequence[Any]) -> NotificationMessage:
    onward = row["rank"] >= Status.RETRYING.rank
    message = NotificationMessage(
        id=row["id"],
        channel=row["channel"],
        priority=row["priority"],
        category=row["category"],
        mode=row["mode"],
        user_id=row["user_id"],
        template_id=row["template_id"],
        # A redrive resolves the newest.
        template_version=row["template_version"] if row["generation"] == 1 else None,
        locale=row["locale"],
        variables=row["variables"],
        sensitive=row["sensitive"],
        on_unknown=row["on_unknown"],
        recipient=row["recipient"],
        batch_id=row["batch_id"],
        correlation_id=row["correlation_id"],
        traceparent=row["traceparent"],
        created_at=row["redriven_at"] or row["created_at"],
        expires_at=row["expires_at"],
    )
    for generation, events in groupby(timeline, key=lambda event: event["generation"]):
        if generation < row["generation"]:
            message = _redriven(_along(message, events))
        elif generation == row["generation"] and onward:
            message = _along(message, (e for e in events if e["hop"] <= row["hop"]))
    changes = {"generation": row["generation"], "hop": row["hop"] + onward}
    return message.model_copy(update=changes)


def _along(message: NotificationMessage, events: Iterable[Any]) -> NotificationMessage:
    """The message after the hops of one generation that went on."""
    for _, of_hop in groupby(events, key=lambda event: event["hop"]):
        message = message.model_copy(update=_after(message, list(of_hop)))
    return message


def _redriven(message: NotificationMessage) -> NotificationMessage:
    """The message at the beginning of its next generation: those that were reached are reached."""
    is_anew = message.recipient is not None or not message.reached
    return message.model_copy(
        update={
            "attempt": 1,
            "waits": 0,
            "devices": None if is_anew else message.devices,
            "reached": not is_anew,
        }
    )


def _after(message: NotificationMessage, events: Sequence[Any]) -> Mapping[str, Any]:
    """What a hop changed about the message. Reports on one device of several have no beginning."""
    ended = [event for event in events if event["started_at"] is not None]
    if not ended or Status(ended[-1]["status"]).is_final:
        return {}
    last = ended[-1]
    is_retry = last["status"] == Status.RETRYING
    told = [event for event in events if event["device"] is not None]
    reached = {event["device"] for event in told if event["status"] == Status.SENT}
    unfinished = {
        event["device"]
        for event in told
        if not Status(event["status"]).is_final and event["device"] not in reached
    }
    return {
        "attempt": max(event["attempt"] for event in events) + is_retry,
        "waits": 0 if is_retry else message.waits + 1,
        "devices": tuple(sorted(unfinished)) or message.devices,
        "reached": message.reached or bool(reached),
    }
