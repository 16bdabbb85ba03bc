"""How long after each fault until accepting and delivering were as before.

A fault has its share of the load: what was due from its beginning to the beginning of the next.
Accepting is normal again with the last of its accepts that took longer than it may, delivering
with the last of its messages that arrived later than usual. Both in seconds after its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from carillon_stack.chaos.inbox import Inbox
from carillon_stack.chaos.injector import Occurrence
from carillon_stack.chaos.load import Sent

SLOW_ACCEPT_SECONDS = 0.25
LATE_ARRIVAL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from the end of a fault; 0 where it was not felt after its end."""

    accepting: float
    delivering: float

    @property
    def longest(self) -> float:
        return max(self.accepting, self.delivering)


def recoveries(
    occurrences: Sequence[Occurrence], sent: Sequence[Sent], inbox: Inbox, *, started: float
) -> list[Recovery]:
    """Return the recovery from each fault, in their order."""
    beginnings = [occurrence.began for occurrence in occurrences]
    limits = [*beginnings[1:], float("inf")]
    found = []
    for occurrence, limit in zip(occurrences, limits, strict=True):
        share = [one for one in sent if occurrence.began <= one.due < limit and one.accepted]
        slow = [one.answered or 0.0 for one in share if one.latency > SLOW_ACCEPT_SECONDS]
        late = [at for one in share for at in _late_arrivals(one, inbox, started)]
        found.append(Recovery(_after(occurrence, slow), _after(occurrence, late)))
    return found


def _late_arrivals(one: Sent, inbox: Inbox, started: float) -> list[float]:
    """Return when the first copies arrived that came later than usual."""
    firsts = [
        copies[0].at - started
        for address in one.order.addresses
        if (copies := inbox.get((one.order.serial, address)))
    ]
    return [at for at in firsts if at - one.due > LATE_ARRIVAL_SECONDS]


def _after(occurrence: Occurrence, moments: Sequence[float]) -> float:
    return round(max(0.0, max(moments, default=0.0) - occurrence.ended), 2)
