"""What a run measured: samples by bench, case, subject and round, and what may be said of them."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """What one subject did in one round of a case.

    Each figure has its unit in its name. `void` says why the sample does not count.
    """

    bench: str
    case: str
    subject: str
    round: int
    figures: Mapping[str, float]
    void: str | None = None


@dataclass(frozen=True)
class Summary:
    """The median of some rounds, and their range."""

    median: float
    least: float
    most: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary | None":
        """None where there are no values."""
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values), len(values))


@dataclass
class Run:
    """One run: `about` tells on what, when and how.

    `skipped` and `failed` tell of benches that gave no or not all figures, and why.
    """

    about: dict[str, Any]
    samples: list[Sample] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Run":
        stored = json.loads(path.read_text())
        stored["samples"] = [Sample(**sample) for sample in stored["samples"]]
        return cls(**stored)

    def of(self, bench: str, case: str, subject: str) -> list[Sample]:
        wanted = (bench, case, subject)
        return [s for s in self.samples if (s.bench, s.case, s.subject) == wanted]

    def values(self, bench: str, case: str, subject: str, figure: str) -> dict[int, float]:
        """A figure by round, where it counts."""
        return {
            sample.round: sample.figures[figure]
            for sample in self.of(bench, case, subject)
            if sample.void is None and figure in sample.figures
        }

    def benches(self) -> list[str]:
        return unique(sample.bench for sample in self.samples)

    def rows(self, bench: str) -> list[tuple[str, str]]:
        """The cases of a bench, each with its subjects, as they were first measured."""
        there = [(s.case, s.subject) for s in self.samples if s.bench == bench]
        cases = unique(case for case, _ in there)
        return sorted(dict.fromkeys(there), key=lambda row: cases.index(row[0]))


def unique(words: Iterable[str]) -> list[str]:
    """The words without repeats, in order."""
    return list(dict.fromkeys(words))


def percentiles(values: Sequence[float], *shares: int) -> list[float]:
    """The values below which so many percent lie."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in shares]
