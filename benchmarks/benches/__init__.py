"""The benches, in the order of a whole run."""

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.benches import accept, batch, deliver, end_to_end, idle, scale
from benchmarks.ground import Ground
from benchmarks.journal import Journal
from benchmarks.size import Size

Bench = Callable[[Ground, Size, Journal], Awaitable[None]]

BENCHES: Mapping[str, Bench] = {
    "idle": idle.measure,
    "accept": accept.measure,
    "batch": batch.measure,
    "deliver": deliver.measure,
    "end_to_end": end_to_end.measure,
    "scale": scale.measure,
}
