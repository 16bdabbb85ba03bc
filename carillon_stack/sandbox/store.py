"""What the sandbox has received: counted for ever, the newest at hand, all of it on disk."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from carillon_stack.sandbox.journal import Journal, Span
from carillon_stack.sandbox.messages import CHANNELS, Channel, Message

NEWEST = 20_000
HEADS_IN_A_BLOCK = 1_000

_log = logging.getLogger(__name__)


class _Entry(NamedTuple):
    """What memory holds of a message: enough to find it, never its content."""

    id: str
    channel: Channel
    to: str
    span: Span


class MessageStore:
    """Messages received since the last `clear`, surviving any end of the process.

    The `newest` ones can be looked at; counts are exact for all. Memory holds an index of the
    newest and, to tell copies apart, eight bytes' worth of every email's Message-ID.
    """

    def __init__(self, folder: Path, newest: int = NEWEST) -> None:
        self._journal = Journal(folder / "messages.jsonl")
        self._index: deque[_Entry] = deque(maxlen=newest)
        self._counts: Counter[Channel] = Counter()
        self._email_marks: set[int] = set()
        self._rejected: dict[Channel, Counter[str]] = {channel: Counter() for channel in CHANNELS}

    def open(self) -> None:
        """Read back what was received before. Raises JournalError when another process has it."""
        self._journal.open()
        for span, line in self._journal.replay():
            try:
                head = Message.from_line(line.partition(b"\t")[0] + b"\t{}")
            except (ValueError, TypeError):
                # A power cut can leave noise, but only where nothing was acknowledged yet.
                _log.warning("skipped %d unreadable bytes at %d", span.length, span.offset)
            else:
                self._remember(head, span)

    async def keep(self, message: Message) -> None:
        """Returns when the message is on disk. Raises OSError when the disk refuses it."""
        span = await self._journal.append(message.to_line())
        self._remember(message, span)

    def reject(self, channel: Channel, kind: str) -> None:
        """Count a try that was turned away."""
        self._rejected[channel][kind] += 1

    def newest(
        self, channel: str | None = None, to: str | None = None, limit: int = NEWEST
    ) -> list[Message]:
        """The newest messages first; `to` is matched whole, whatever its case."""
        wanted = None if to is None else to.casefold()
        matching = (
            entry
            for entry in reversed(self._index)
            if channel in (None, entry.channel) and wanted in (None, entry.to.casefold())
        )
        return [self._read(entry) for entry in islice(matching, limit)]

    def find(self, message_id: str) -> Message | None:
        """One of the newest messages by its id."""
        return next((self._read(e) for e in reversed(self._index) if e.id == message_id), None)

    def heads(self) -> Iterator[bytes]:
        """Blocks of lines for all messages, oldest first: each one's fields without its content.

        For another thread: it reads the disk.
        """
        heads = (line.partition(b"\t")[0] for line in self._journal.lines())
        while block := list(islice(heads, HEADS_IN_A_BLOCK)):
            yield b"".join(head + b"\n" for head in block if head.startswith(b"{"))

    def stats(self) -> dict[str, Any]:
        """Counts since the last `clear`; rejected tries since the process began, if later."""
        return {
            **{channel: self._counts[channel] for channel in CHANNELS},
            "distinct_message_ids": len(self._email_marks),
            "rejected": {channel: dict(kinds) for channel, kinds in self._rejected.items()},
        }

    async def clear(self) -> None:
        """Forget everything, on disk too."""
        await self._journal.clear(self._forget)

    async def close(self) -> None:
        await self._journal.close()

    def _read(self, entry: _Entry) -> Message:
        return Message.from_line(self._journal.read(entry.span))

    def _forget(self) -> None:
        self._index.clear()
        self._counts.clear()
        self._email_marks.clear()
        for kinds in self._rejected.values():
            kinds.clear()

    def _remember(self, message: Message, span: Span) -> None:
        self._counts[message.channel] += 1
        self._index.append(_Entry(message.id, message.channel, message.to, span))
        if message.channel == "email" and message.mark:
            self._email_marks.add(hash(message.mark))
