"""Commands and replies on a connection that was greeted before (RFC 5321 4.2, RFC 2920)."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

UNREADABLE = -1
_LONGEST_REPLY = 65_536


class Reply(NamedTuple):
    """What the server says to one command; `code` is UNREADABLE where it is no reply at all."""

    code: int
    text: str


class Exchange(NamedTuple):
    """The replies that came, and why no more did where some are missing."""

    replies: Sequence[Reply]
    failure: TimeoutError | ConnectionError | None


class Conversation(asyncio.Protocol):
    """Takes over a connection's transport; one exchange at a time.

    aiosmtplib opens the connection, and then knows one command at a time only: this sends several
    in one go to a server that allows it. A server that speaks unasked says goodbye (421): it is
    hung up on.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._unread = bytearray()
        self._said: list[bytes] = []
        self._replies: list[Reply] = []
        self._wanted = 0
        self._waiting: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """What the server has not taken yet of all that was written."""
        return self._transport.get_write_buffer_size()

    def hang_up(self) -> None:
        self._transport.close()

    async def exchange(self, written: bytes, replies: int, seconds: float) -> Exchange:
        """Writes whole commands, or an email's source, and waits for the replies to them."""
        if not self.is_open:
            return Exchange([], ConnectionResetError("the connection is closed"))
        self._replies, self._wanted = [], replies
        self._waiting = self._loop.create_future()
        alarm = self._loop.call_later(seconds, self._end, TimeoutError(f"{seconds:g} s"))
        self._transport.write(written)
        try:
            await self._waiting
        except (TimeoutError, ConnectionError) as failure:
            return Exchange(self._replies, failure)
        finally:
            alarm.cancel()
            self._waiting = None
        return Exchange(self._replies, None)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.hang_up()
            return
        self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._hear(bytes(line))
        if len(self._unread) + sum(map(len, self._said)) > _LONGEST_REPLY:
            self._add(Reply(UNREADABLE, "the reply has no end"))
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(ConnectionResetError(str(exc or "the server hung up")))

    def _hear(self, line: bytes) -> None:
        if not line[:3].isdigit():
            self._add(Reply(UNREADABLE, f"no SMTP reply: {line.decode(errors='replace').strip()}"))
            return
        self._said.append(line[4:].strip())
        if line[3:4] != b"-":
            text = b"\n".join(self._said).decode(errors="replace")
            self._add(Reply(int(line[:3]), text))

    def _add(self, reply: Reply) -> None:
        self._said = []
        self._replies.append(reply)
        if len(self._replies) == self._wanted and self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    def _end(self, failure: TimeoutError | ConnectionError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(failure)
