"""JSON logs on standard output, each line with service, time, level and correlation id."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from shared.observability import correlation, discretion

_SECRET_NAMES = re.compile(r"password|secret|token|authorization|api_key|credential", re.IGNORECASE)
_SECRET_VALUES = re.compile(
    r"(ck_(?:live|test)_)[A-Za-z0-9_\-]+|(Bearer )[A-Za-z0-9._\-]+|(://[^:/@\s]*:)[^@/\s]+(?=@)"
)

_OURS = frozenset({"timestamp", "level", "service", "correlation_id", "id"})
"""Made by us, and looked for by whoever follows a notification."""

Event = MutableMapping[str, Any]


def configure(service: str, level: str = "INFO") -> None:
    """Sends structlog and the standard library's logging through one JSON writer."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        _correlated,
        structlog.processors.format_exc_info,
        hide_secrets,
        _discreet,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("aio_pika", "httpx", "httpcore", "alembic", "google"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It shows the trace of every lost connection; `Link` says in one line what was lost.
    logging.getLogger("aiormq").setLevel(logging.ERROR)


def hide_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Masks values under secret names, and keys, bearer tokens and passwords inside texts."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = _SECRET_VALUES.sub(_masked, value)
    return event


def _discreet(_logger: Any, _method: str, event: Event) -> Event:
    """Hides the secrets of the notification at hand, in whatever a line says of it."""
    for name, value in event.items():
        if name in _OURS or name.startswith("_"):
            continue
        said = value if isinstance(value, str) else repr(value)
        hidden = discretion.hide(said)
        if hidden != said:
            event[name] = hidden
    return event


def _masked(match: re.Match[str]) -> str:
    return (match[1] or match[2] or match[3]) + "***"


def _named(service: str) -> Any:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event["service"] = service
        return event

    return add


def _correlated(_logger: Any, _method: str, event: Event) -> Event:
    if correlation_id := correlation.current():
        event.setdefault("correlation_id", correlation_id)
    return event
