"""Every metric of the suite, by name. `/metrics` shows those that the process has touched."""

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import REGISTRY as PROCESS_REGISTRY
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAITS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)

NOTIFICATIONS = Counter(
    "carillon_notifications_total",
    "Notifications that reached a status.",
    ["channel", "status", "reason"],
)
HTTP_SECONDS = Histogram(
    "carillon_http_request_seconds",
    "Time to answer a request.",
    ["method", "route", "status"],
    buckets=_LATENCIES,
)
PROVIDER_SECONDS = Histogram(
    "carillon_provider_seconds",
    "Time of one provider call.",
    ["provider", "outcome"],
    buckets=_LATENCIES,
)
RATE_WAIT_SECONDS = Histogram(
    "carillon_rate_wait_seconds",
    "Time that a message waited for its turn at a provider's send rate.",
    ["provider"],
    buckets=_WAITS,
)
FAILOVERS = Counter(
    "carillon_failovers_total",
    "Messages that a provider took in place of one before it that could not be used.",
    ["provider"],
)
DELIVERY_SECONDS = Histogram(
    "carillon_delivery_seconds",
    "Time from accept to the provider's acceptance.",
    ["channel"],
    buckets=_WAITS,
)
QUEUE_MESSAGES = Gauge(
    "carillon_queue_messages",
    "Messages ready in a queue.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
OUTBOX_ROWS = Gauge(
    "carillon_outbox_rows",
    "Rows in the outbox by state (due or scheduled).",
    ["state"],
    multiprocess_mode="mostrecent",
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "carillon_outbox_oldest_seconds",
    "Age of the oldest due row in the outbox.",
    multiprocess_mode="mostrecent",
)
REENQUEUED = Counter(
    "carillon_reenqueued_total",
    "Notifications that were lost on their way and enqueued once more.",
    ["lane"],
)
OPEN_DEAD_LETTERS = Gauge(
    "carillon_dead_letters_open",
    "Dead letters that nobody has redriven or discarded.",
    ["reason"],
    multiprocess_mode="mostrecent",
)
BREAKER_OPEN = Gauge(
    "carillon_breaker_open",
    "1 while calls are not tried, 0.5 while one is probing.",
    ["name"],
    multiprocess_mode="livemax",
)
IN_FLIGHT = Gauge(
    "carillon_in_flight",
    "Deliveries that a worker holds.",
    ["queue"],
    multiprocess_mode="livesum",
)


def exposition() -> bytes:
    """The metrics as Prometheus's text; of all processes behind one port when they share files.

    Source: https://prometheus.github.io/client_python/multiprocess/
    """
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return generate_latest(PROCESS_REGISTRY)
    _forget_the_dead(Path(folder))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """Drops what processes that ended said of their present state; what they counted stays."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*_*.db")}:
        with suppress(PermissionError):  # it lives, under another user
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
