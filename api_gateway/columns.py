"""Rows to columns: what PostgreSQL's `unnest` takes."""

from collections.abc import Collection, Iterable
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """One list for each column; the rows are not empty."""
    return [list(column) for column in zip(*rows, strict=True)]


def joined(names: Collection[str] | None) -> str | None:
    """Names of variables as one value: `unnest` takes no lists of lists."""
    return None if names is None else ",".join(names)


def storable(text: str | None) -> str | None:
    """What others said, without the one character that PostgreSQL does not store."""
    return text.replace("\x00", "\ufffd") if text else text
