"""An append-only file of lines that are on disk before `append` returns."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple


class Span(NamedTuple):
    """Where a line stands in the file, in bytes."""

    offset: int
    length: int


class JournalError(Exception):
    """The journal cannot be used; its text says why."""


class Journal:
    """A file that gathers the lines waiting at one moment into one write and one fsync.

    A lone line waits for nobody; under load, one fsync carries hundreds. Only one process may
    hold a journal open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        self._file = -1
        self._waiting: list[tuple[bytes, asyncio.Future[Span]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._alone = asyncio.Lock()
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def open(self) -> None:
        """Open or make the file. Raises JournalError when another process holds it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            sentence = (
                f"{self._path} is in use by another sandbox; end that one or use another folder"
            )
            raise JournalError(sentence) from error
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def replay(self) -> Iterator[tuple[Span, bytes]]:
        """Every line, oldest first.

        A last line cut short by a crash is removed: its writer was told nothing.
        """
        with self._path.open("rb") as lines:
            offset = 0
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                yield Span(offset, len(line)), line
                offset += len(line)
        os.ftruncate(self._file, offset)
        self._size = offset

    def lines(self) -> Iterator[bytes]:
        """Every line on disk by now, oldest first; safe to iterate in another thread.

        A `clear` meanwhile ends it early.
        """
        rest = self._size
        with self._path.open("rb") as file:
            for line in file:
                rest -= len(line)
                if rest < 0:
                    return
                yield line

    def read(self, span: Span) -> bytes:
        """One line back, as it was written."""
        return os.pread(self._file, span.length, span.offset)

    async def append(self, line: bytes) -> Span:
        """Write a line; returns when it is on disk. Raises OSError when the disk refuses."""
        written: asyncio.Future[Span] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_waiting())
        return await written

    async def clear(self, forget: Callable[[], None]) -> None:
        """Empty the file; returns when that is on disk.

        `forget` is called when no line is on its way and every span is still good.
        """
        async with self._alone:
            forget()
            self._size = 0
            await self._on_disk(b"")

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer
        self._disk.shutdown()
        os.close(self._file)

    async def _write_waiting(self) -> None:
        while self._waiting:
            async with self._alone:
                batch, self._waiting = self._waiting, []
                try:
                    await self._on_disk(b"".join(line for line, _ in batch))
                except OSError as error:
                    self._refuse(batch, error)
                else:
                    self._confirm(batch)
        self._writer = None

    async def _on_disk(self, block: bytes) -> None:
        await asyncio.get_running_loop().run_in_executor(self._disk, self._write, block)

    def _write(self, block: bytes) -> None:
        # A write that failed half-way must not leave half a line before the next one.
        os.ftruncate(self._file, self._size)
        position, rest = self._size, memoryview(block)
        while rest:
            count = os.pwrite(self._file, rest, position)
            position, rest = position + count, rest[count:]
        os.fsync(self._file)

    def _confirm(self, batch: list[tuple[bytes, asyncio.Future[Span]]]) -> None:
        for line, written in batch:
            span = Span(self._size, len(line))
            self._size += len(line)
            if not written.done():
                written.set_result(span)

    @staticmethod
    def _refuse(batch: list[tuple[bytes, asyncio.Future[Span]]], error: OSError) -> None:
        for _, written in batch:
            if not written.done():
                written.set_exception(error)
