"""Rows to columns: what PostgreSQL's `unnest` takes."""

from collections.abc import Iterable
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """One list for each column; the rows are not empty."""
    return [list(column) for column in zip(*rows, strict=True)]


def storable(text: str | None) -> str | None:
    """What others said, without the one character that PostgreSQL does not store."""
    return text.replace("\x00", "\ufffd") if text else text
