"""What a run has seen so far, and what it tells meanwhile."""

from collections.abc import Callable, Mapping

from benchmarks.results import Run, Sample

Say = Callable[[str], None]

HEADLINES = (
    ("requests_per_second", "requests/s"),
    ("notifications_per_second", "notifications/s"),
    ("emails_per_second", "emails/s"),
    ("ms_per_request", "ms a request"),
    ("p99_ms", "ms p99"),
    ("memory_mib", "MiB"),
)


class Journal:
    """Takes samples as they come, and shows each with its most telling figure."""

    def __init__(self, run: Run, say: Say) -> None:
        self.run = run
        self.say = say

    def add(self, sample: Sample) -> None:
        self.run.samples.append(sample)
        outcome = f"void: {sample.void}" if sample.void else _headline(sample.figures)
        self.say(
            f"{sample.bench:<11}round {sample.round:<3}{sample.case}, {sample.subject}: {outcome}"
        )

    def skip(self, bench: str, why: str) -> None:
        self.run.skipped[bench] = why
        self.say(f"{bench:<11}skipped: {why}")


def _headline(figures: Mapping[str, float]) -> str:
    for name, unit in HEADLINES:
        if name in figures:
            return f"{figures[name]:,.4g} {unit}"
    return "measured"
