"""A message as the API and the inbox show it."""

from __future__ import annotations

from typing import Any

from carillon_stack.sandbox.email import read_email
from carillon_stack.sandbox.messages import Message


def shown(message: Message) -> dict[str, Any]:
    """Envelope and content in one; an email's source is read here, when somebody looks."""
    content = message.content
    if "raw" in content:
        source = content["raw"].encode("latin-1")
        content = {"envelope_from": content["envelope_from"], **read_email(source)}
    return {
        "id": message.id,
        "channel": message.channel,
        "to": message.to,
        "received_at": message.received_at,
        **content,
    }
