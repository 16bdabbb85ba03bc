"""How services of the suite ask each other over HTTP."""

from shared.http.neighbour import Neighbour, NeighbourMisunderstood

__all__ = ["Neighbour", "NeighbourMisunderstood"]
