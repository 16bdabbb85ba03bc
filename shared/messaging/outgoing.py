"""A message that goes out, and the AMQP frames that carry it.

Source: AMQP 0-9-1, 4.2.3 (frames) and the class `basic` (content header and its properties).
"""

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pamqp import commands, constants, encode, frame

_FRAME = struct.Struct(">BHI")
_CONTENT_HEADER = struct.Struct(">HxxQH")
_PROPERTIES = 1 << 15 | 1 << 13 | 1 << 12 | 1 << 7
"""Content type, headers, delivery mode and message id, which follow in this order."""

_CONTENT_TYPE = encode.short_string("application/json")
_PERSISTENT = b"\x02"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish."""

    exchange: str
    routing_key: str
    body: bytes = field(repr=False)
    headers: dict[str, Any] = field(default_factory=dict)

    def frames(self, channel: int, message_id: str, most_bytes: int) -> bytes:
        """The message on an AMQP channel: persistent, mandatory; a frame holds `most_bytes`."""
        header = b"".join(
            (
                _CONTENT_HEADER.pack(commands.Basic.frame_id, len(self.body), _PROPERTIES),
                _CONTENT_TYPE,
                encode.field_table(self.headers),
                _PERSISTENT,
                encode.short_string(message_id),
            )
        )
        body = self.body
        return b"".join(
            (
                _method(channel, self.exchange, self.routing_key),
                _framed(constants.FRAME_HEADER, channel, header),
                *(
                    _framed(constants.FRAME_BODY, channel, body[at : at + most_bytes])
                    for at in range(0, len(body), most_bytes)
                ),
            )
        )


@lru_cache(maxsize=1000)
def _method(channel: int, exchange: str, routing_key: str) -> bytes:
    """The frame that says where to, the same for every message of a lane."""
    publish = commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=True)
    return frame.marshal(publish, channel)


def _framed(kind: int, channel: int, payload: bytes) -> bytes:
    return b"%b%b%b" % (
        _FRAME.pack(kind, channel, len(payload)),
        payload,
        constants.FRAME_END_CHAR,
    )
