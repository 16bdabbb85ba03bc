"""The correlation id: one name for everything that follows from one request. Tracing only."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from uuid_utils import uuid4

from shared.schemas.text import CORRELATION_ID

HEADER = "X-Correlation-ID"

_PATTERN = re.compile(CORRELATION_ID)
_current: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def current() -> str | None:
    """The correlation id of the work at hand."""
    return _current.get()


def accepted_or_new(value: str | None) -> str:
    """The caller's id when it is safe in a header and a log, else a new one."""
    return value if value and _PATTERN.fullmatch(value) else str(uuid4())


@contextmanager
def correlated(correlation_id: str) -> Iterator[str]:
    """Binds the id to everything that happens inside."""
    token = _current.set(correlation_id)
    try:
        yield correlation_id
    finally:
        _current.reset(token)
