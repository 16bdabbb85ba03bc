"""What is known of each lane: what stands still in it, and whether it can still be in there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.messaging.topology import FAILED_QUEUE, STATUS_QUEUE, lane, lanes, queue_of
from shared.schemas.vocabulary import Channel, Priority

LANES: Mapping[str, tuple[tuple[Channel, Priority], ...]] = {
    key: tuple((channel, priority) for priority in Priority if lane(channel, priority) == key)
    for channel in Channel
    for key in lanes(channel)
}
"""Every lane by its routing key: the channel and the priorities that travel on it."""


class Suspect(NamedTuple):
    """A notification that stands still, and the hop that is on its way for it."""

    id: UUID
    generation: int
    hop: int


@dataclass(slots=True)
class Watch:
    """One lane while something stands still in it.

    At `since` none of the suspects was in the outbox any more, so each was in the lane, in a
    worker's hands, or lost. It is lost if it still stands there after the lane has been empty (or
    has delivered something newer), and then the queues in which outcomes come back.
    """

    suspects: list[Suspect]
    since: datetime
    _has_left: bool = field(default=False, init=False)
    _is_told: bool = field(default=False, init=False)

    @property
    def is_over(self) -> bool:
        """Whether whatever was in RabbitMQ at the beginning has become known."""
        return self._has_left and self._is_told

    def see(self, key: str, depths: Mapping[str, int], overtaken: Collection[str]) -> None:
        """Takes note of what a look at the queues showed."""
        if depths[queue_of(key)] == 0 or key in overtaken:
            self._has_left = True
        if self._has_left and outcomes_are_read(depths):
            self._is_told = True


def outcomes_are_read(depths: Mapping[str, int]) -> bool:
    """Whether nothing waits in the queues in which outcomes come back."""
    return depths[STATUS_QUEUE] == 0 and depths[FAILED_QUEUE] == 0
