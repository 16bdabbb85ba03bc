"""What FCM checks in a message before it takes it (HTTP v1 reference, `projects.messages`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

TARGETS = ("token", "fid", "topic", "condition")
MAX_BYTES = 4096
MAX_TOPIC_BYTES = 2048
LONGEST_TTL = 4 * 7 * 24 * 3600.0
RESERVED_KEYS = re.compile(r"from|message_type|google.*|gcm.*", re.DOTALL)

FIELDS = {
    "message": {
        "name",
        "data",
        "notification",
        "android",
        "webpush",
        "apns",
        "fcm_options",
        *TARGETS,
    },
    "message.notification": {"title", "body", "image"},
    "message.fcm_options": {"analytics_label"},
    "message.webpush": {"headers", "data", "notification", "fcm_options"},
    "message.apns": {"headers", "payload", "fcm_options", "live_activity_token"},
    "message.android": {
        "collapse_key",
        "priority",
        "ttl",
        "restricted_package_name",
        "data",
        "notification",
        "fcm_options",
        "direct_boot_ok",
        "bandwidth_constrained_ok",
        "restricted_satellite_ok",
    },
}
"""The fields FCM knows of each object whose names are checked here."""

_TTL = re.compile(r"(\d+(?:\.\d{1,9})?)s")
_TOPIC = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")


class Violation(NamedTuple):
    """One thing wrong with a message: the field's path, and what FCM says about it."""

    field: str
    description: str


class Target(NamedTuple):
    """Whom a message is for."""

    kind: str
    value: str


def target_of(message: dict[str, Any]) -> Target:
    """The target of a message without violations."""
    kind = next(kind for kind in TARGETS if kind in message)
    return Target(kind, message[kind])


def first_violation(message: object) -> Violation | None:
    """The first reason to refuse a message; None for a good one."""
    if not isinstance(message, dict):
        return Violation("message", "Message must be specified.")
    return next(_violations(message), None)


def _violations(message: dict[str, Any]) -> Iterator[Violation]:
    yield from _unknown_fields(message)
    yield from _target(message)
    yield from _data("message.data", message.get("data", {}))
    yield from _android(message.get("android", {}))
    yield from _size(message)


def _unknown_fields(message: dict[str, Any]) -> Iterator[Violation]:
    for path, known in FIELDS.items():
        *_, name = path.split(".")
        value = message if path == "message" else message.get(name, {})
        if not isinstance(value, dict):
            yield Violation(path, f"Invalid value at '{path}', must be an object")
            return
        for field in value.keys() - known:
            unknown = f"Unknown name \"{field}\" at '{path}': Cannot find field."
            yield Violation(path, f"Invalid JSON payload received. {unknown}")


def _target(message: dict[str, Any]) -> Iterator[Violation]:
    given = [kind for kind in TARGETS if kind in message]
    if len(given) != 1:
        yield Violation("message", "Exactly one of token, topic or condition must be specified.")
        return
    (kind,) = given
    value = message[kind]
    path = f"message.{kind}"
    if not isinstance(value, str):
        yield Violation(path, f"Invalid value at '{path}' (TYPE_STRING), {value!r}")
    elif kind in {"token", "fid"} and (not value or value.startswith("invalid-")):
        yield Violation(path, "The registration token is not a valid FCM registration token")
    elif kind == "topic" and not _TOPIC.fullmatch(value.removeprefix("/topics/")):
        yield Violation(path, "Invalid topic name")
    elif not value:
        yield Violation(path, f"{kind} must not be empty")


def _data(path: str, data: object) -> Iterator[Violation]:
    if not isinstance(data, dict):
        yield Violation(path, f"Invalid value at '{path}', must be an object")
        return
    for position, (key, value) in enumerate(data.items()):
        if not isinstance(value, str):
            where = f"{path}[{position}].value"
            yield Violation(where, f"Invalid value at '{where}' (TYPE_STRING), {value!r}")
        elif RESERVED_KEYS.fullmatch(key):
            yield Violation(path, f"Invalid data payload key: {key}")


def _android(android: dict[str, Any]) -> Iterator[Violation]:
    yield from _data("message.android.data", android.get("data", {}))
    ttl = android.get("ttl", "0s")
    found = _TTL.fullmatch(ttl) if isinstance(ttl, str) else None
    if found is None or float(found[1]) > LONGEST_TTL:
        yield Violation("message.android.ttl", f"Invalid TTL {ttl!r}: up to 4 weeks, as in '3.5s'")
    if str(android.get("priority", "normal")).lower() not in {"normal", "high"}:
        yield Violation("message.android.priority", "Invalid priority: normal or high")


def _size(message: dict[str, Any]) -> Iterator[Violation]:
    texts = [value for value in message.get("notification", {}).values() if isinstance(value, str)]
    data = message.get("data", {})
    size = sum(len(text.encode("utf-8", "replace")) for text in [*texts, *data, *data.values()])
    limit = MAX_TOPIC_BYTES if "topic" in message or "condition" in message else MAX_BYTES
    if size > limit:
        yield Violation("message", f"Message is too big: {size} bytes, at most {limit}")
