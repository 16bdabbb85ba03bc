"""What every emulator hands over: a message as its provider accepted it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

Channel = Literal["email", "push", "sms"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)


def new_message_id() -> str:
    """A fresh id in the 32 hexadecimal digits that Twilio's sids are made of."""
    return uuid.uuid4().hex


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Message:
    """One accepted message to one recipient.

    `content` is what is shown beside the fields here; an email's holds its source as `raw`
    instead (Latin-1, byte for byte) and is parsed only when somebody looks. `mark` is what two
    copies of one message have in common: an email's Message-ID, a push's collapse key.
    """

    channel: Channel
    to: str
    content: dict[str, Any]
    mark: str | None = None
    id: str = field(default_factory=new_message_id)
    received_at: str = field(default_factory=_now)

    def to_line(self) -> bytes:
        """The journal's line: a head to index by, a tab, the content, a newline."""
        head = {
            "id": self.id,
            "channel": self.channel,
            "to": self.to,
            "received_at": self.received_at,
            "mark": self.mark,
        }
        return f"{json.dumps(head)}\t{json.dumps(self.content)}\n".encode()

    @classmethod
    def from_line(cls, line: bytes) -> Message:
        """Read a line back. Raises ValueError where it is none of ours."""
        head, _, content = line.partition(b"\t")
        return cls(**json.loads(head), content=json.loads(content))
