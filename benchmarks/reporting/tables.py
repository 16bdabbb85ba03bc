"""A run as Markdown: medians with their ranges, targets first."""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.results import Run, Summary, unique
from benchmarks.targets import TARGETS

COLUMNS = {
    "requests_per_second": "requests/s",
    "notifications_per_second": "notifications/s",
    "emails_per_second": "emails/s",
    "ms_per_request": "ms a request",
    "p50_ms": "p50, ms",
    "p95_ms": "p95, ms",
    "p99_ms": "p99, ms",
    "sent_at_p50_ms": "p50 by `sent_at`, ms",
    "sent_at_p99_ms": "p99 by `sent_at`, ms",
    "empty_after_s": "queued after, s",
    "recorded_after_s": "recorded after, s",
    "memory_mib": "memory, MiB",
    "cpu_percent": "CPU, % of a core",
    "cpu_us_gateway": "gateway, µs",
    "cpu_us_email_worker": "email worker, µs",
    "cpu_us_peer": "peer, µs",
    "cpu_us_postgres": "PostgreSQL, µs",
    "cpu_us_rabbitmq": "RabbitMQ, µs",
    "cpu_us_redis": "Redis, µs",
    "cpu_us_user_service": "user service, µs",
    "other_load_percent": "others, % of a core",
}
"""Figures by name, in the order of columns. µs are CPU time for each request or email."""


def whole(run: Run) -> str:
    """Targets, then a table for each bench, then what was skipped."""
    parts = ["## Targets\n\n" + targets(run)]
    parts += [f"## {bench}\n\n{of_bench(run, bench)}" for bench in run.benches()]
    for heading, benches in (("Skipped", run.skipped), ("Failed", run.failed)):
        if benches:
            lines = "".join(f"- `{name}`: {why}\n" for name, why in benches.items())
            parts.append(f"## {heading}\n\n{lines}")
    return "\n".join(parts)


def targets(run: Run) -> str:
    """What was to be shown, and what was."""
    rows = []
    for target in TARGETS:
        reached = target.reached(run)
        shown = "not measured"
        verdict = ""
        if reached:
            shown = f"{summary(reached)} {target.unit}"
            if not run.about.get("quick"):
                verdict = "yes" if target.holds(reached) else "**no**"
        bounds = f"{target.bound} {target.needed:g} {target.unit}"
        rows.append([target.says, bounds, f"{target.wanted:g} {target.unit}", shown, verdict])
    return table(["what", "target", "after", "measured", "reached"], rows)


def of_bench(run: Run, bench: str) -> str:
    """One row for each subject of each case, and the samples that do not count."""
    there = unique(f for s in run.samples if s.bench == bench for f in s.figures)
    names = [name for name in COLUMNS if name in there]
    rows = []
    for case, subject in run.rows(bench):
        cells = [case, subject]
        for name in names:
            reached = Summary.of(list(run.values(bench, case, subject, name).values()))
            cells.append(summary(reached) if reached else "–")
        rows.append(cells)
    text = table(["case", "who", *(COLUMNS[name] for name in names)], rows)
    return text + "".join(f"\n- {line}" for line in _void(run, bench)) + "\n"


def _void(run: Run, bench: str) -> Iterator[str]:
    for sample in run.samples:
        if sample.bench == bench and sample.void:
            yield f"{sample.case}, {sample.subject}, round {sample.round} is void: {sample.void}"


def summary(reached: Summary) -> str:
    """`median (least–most)`."""
    if reached.rounds == 1:
        return number(reached.median)
    return f"{number(reached.median)} ({number(reached.least)}–{number(reached.most)})"


def number(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
