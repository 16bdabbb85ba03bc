"""How services of the suite ask each other over HTTP."""

from shared.http.neighbour import Neighbour, NeighbourMisunderstood
from shared.http.neighbourhood import neighbour

__all__ = ["Neighbour", "NeighbourMisunderstood", "neighbour"]
