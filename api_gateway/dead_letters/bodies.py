"""What is kept of a dead letter's body: its bytes, without the values of secrets."""

import json
from typing import Any

from shared.masking import erased
from shared.schemas.wire import NotificationMessage


def kept(body: bytes, message: NotificationMessage) -> bytes:
    """The body of a message that was read."""
    clean = message.without_secrets()
    if clean.variables == message.variables:
        return body
    return clean.model_dump_json().encode()


def kept_as_found(body: bytes) -> bytes:
    """The body of what nobody can read, byte for byte, unless messages of ours are inside."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(found).encode() if _erase_inside(found) else body


def _erase_inside(value: Any) -> bool:
    """Erases secrets in place; whether there were any."""
    waiting, changed = [value], False
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            changed = _erase_in(one) or changed
        if isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
    return changed


def _erase_in(found: dict[str, Any]) -> bool:
    variables = found.get("variables")
    if not isinstance(variables, dict) or "sensitive" not in found:
        return False
    names = found["sensitive"]
    clean = erased(variables, names if isinstance(names, list) else None)
    found["variables"] = clean
    return clean != variables
