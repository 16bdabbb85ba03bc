"""Hops that this process has settled: what it knows of them while Redis is away.

An outcome that Redis could not be told is owed. Until it is told, its claim says `sending` by a
living owner there, and another worker that meets a copy would wait for it in vain.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from shared.delivery.outcome import Outcome

MOST_LATEST = 5_000
MOST_OWED = 50_000
OWED_AT_ONCE = 500

Settled = tuple[str, str, Outcome]
"""A claim's key, a device, and what became of the copy for it."""


class Memory:
    """The latest hops, and those that are owed; of both a bounded number."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, dict[str, Outcome]] = OrderedDict()
        self._owed: dict[str, dict[str, Outcome]] = {}

    def keep(self, settled: Iterable[Settled]) -> None:
        """Remember what stands; the oldest is forgotten for it."""
        for claim, device, outcome in settled:
            self._latest.setdefault(claim, {})[device] = outcome
            self._latest.move_to_end(claim)
        while len(self._latest) > MOST_LATEST:
            self._latest.popitem(last=False)

    def owe(self, settled: Iterable[Settled]) -> None:
        """Remember what Redis is to be told later; what is too much is left untold."""
        for claim, device, outcome in settled:
            if claim in self._owed or len(self._owed) < MOST_OWED:
                self._owed.setdefault(claim, {})[device] = outcome

    def owed(self, claim: str) -> Mapping[str, Outcome]:
        """Outcomes of a hop by device, if Redis was not told of them."""
        return self._owed.get(claim, {})

    def known(self, claim: str) -> Mapping[str, Outcome]:
        """Outcomes of a hop by device, whether or not Redis knows them too."""
        return self._owed.get(claim) or self._latest.get(claim, {})

    def next_owed(self) -> Sequence[Settled]:
        """Some of what is owed, whole hops, the oldest first."""
        claims = list(self._owed)[:OWED_AT_ONCE]
        return [(claim, *one) for claim in claims for one in self._owed[claim].items()]

    def paid(self, settled: Iterable[Settled]) -> None:
        """Redis was told of these."""
        for claim, _, _ in settled:
            self._owed.pop(claim, None)
