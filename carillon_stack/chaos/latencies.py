"""How long accepting took: as the client waited, with and without PostgreSQL's own outages."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from carillon_stack.chaos.injector import Occurrence
from carillon_stack.chaos.load import Sent

FOUND_AGAIN_SECONDS = 2.0
"""An outage of PostgreSQL lasts until it serves again and so much longer: for up to a second
after a failure no gateway asks it, and then each makes new connections to it."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds from due to accepted."""

    count: int
    p50: float
    p99: float
    max: float


def measure(sent: Sequence[Sent]) -> Latencies:
    """Return the latencies of what was accepted."""
    sorted_ms = sorted(1000 * one.latency for one in sent if one.accepted)
    if not sorted_ms:
        return Latencies(0, 0.0, 0.0, 0.0)

    def percentile(share: float) -> float:
        return round(sorted_ms[max(0, math.ceil(share * len(sorted_ms)) - 1)], 1)

    return Latencies(len(sorted_ms), percentile(0.5), percentile(0.99), percentile(1))


def outside_outages(sent: Sequence[Sent], occurrences: Sequence[Occurrence]) -> list[Sent]:
    """Return what was on its way at no moment of an outage of PostgreSQL."""
    outages = [occurrence for occurrence in occurrences if occurrence.fault.target == "postgres"]
    return [
        one
        for one in sent
        if not any(
            outage.covers(one.due, one.answered or one.due, slack=FOUND_AGAIN_SECONDS)
            for outage in outages
        )
    ]
