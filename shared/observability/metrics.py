"""Every metric of the suite, by name. `/metrics` shows those that the process has touched."""

import os

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
BREAKER_OPEN = Gauge(
    "carillon_breaker_open",
    "1 while calls are not tried, 0.5 while one is probing.",
    ["name"],
    multiprocess_mode="max",
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
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(PROCESS_REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
