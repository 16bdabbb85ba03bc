"""Plots of a run: the median of each subject as a bar, each round as a dot on it."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import Run, unique

OURS_COLOUR, PEER_COLOURS = "#1b6ca8", ("#9aa5b1", "#c9b27c", "#a3b18a", "#b08ea2")
_INK = "#333333"
_WIDTH, _BAR_HEIGHT, _MARGIN = 8.0, 0.32, 1.3


@dataclass(frozen=True)
class Plot:
    """One figure of some cases of a bench."""

    name: str
    figure: str
    label: str
    title: str
    only: str = ""


PLOTS: Mapping[str, Sequence[Plot]] = {
    "accept": (
        Plot("accept-rate", "requests_per_second", "requests a second", "Accepting"),
        Plot("accept-p99", "p99_ms", "milliseconds, p99", "Accepting: how long it takes"),
    ),
    "batch": (
        Plot("batch", "notifications_per_second", "notifications a second", "One, or a thousand"),
    ),
    "deliver": (Plot("deliver", "emails_per_second", "emails a second", "Delivering"),),
    "scale": (
        Plot("scale", "ms_per_request", "milliseconds a request", "As the table grows", "rows"),
    ),
}
_LATENCIES = ("p50_ms", "p95_ms", "p99_ms")


def draw(run: Run, folder: Path) -> dict[str, list[str]]:
    """Draws what the run has figures for; file names by bench."""
    # The same run gives the same files.
    mpl.rcParams.update({"svg.hashsalt": "carillon", "font.size": 9, "text.color": _INK})
    drawn: dict[str, list[str]] = {}
    for bench, plots in PLOTS.items():
        for plot in plots:
            if (figure := _bars(run, bench, plot)) is not None:
                drawn.setdefault(bench, []).append(_save(figure, folder, plot.name))
    if (figure := _end_to_end(run)) is not None:
        drawn["end_to_end"] = [_save(figure, folder, "end-to-end")]
    return drawn


def _save(figure: Figure, folder: Path, name: str) -> str:
    path = folder / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    return path.name


def _bars(run: Run, bench: str, plot: Plot) -> Figure | None:
    """Cases from top to bottom, their subjects side by side."""
    groups: dict[str, list[tuple[str, list[float]]]] = {}
    for case, subject in run.rows(bench):
        values = list(run.values(bench, case, subject, plot.figure).values())
        if values and case.endswith(plot.only):
            groups.setdefault(case, []).append((subject, values))
    if not groups:
        return None
    count = sum(map(len, groups.values())) + len(groups)
    figure = Figure(figsize=(_WIDTH, _MARGIN + _BAR_HEIGHT * count), layout="constrained")
    axes = figure.subplots()
    colours = _colours(unique(subject for rows in groups.values() for subject, _ in rows))
    for at, (label, subject, values) in enumerate(_lines(groups)):
        if values:
            _bar(axes, at, values, colours[subject])
        axes.text(
            -0.01,
            at,
            label,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            weight="normal" if values else "bold",
        )
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_xlabel(plot.label)
    axes.set_title(plot.title, loc="left", weight="bold")
    _quieten(axes)
    return figure


def _lines(
    groups: Mapping[str, list[tuple[str, list[float]]]],
) -> Iterator[tuple[str, str, list[float]]]:
    """A headline for each case, then a line for each subject."""
    for case, rows in groups.items():
        yield case, "", []
        for subject, values in rows:
            yield subject, subject, values


def _bar(axes: Axes, at: int, values: list[float], colour: str) -> None:
    median = statistics.median(values)
    axes.barh(at, median, height=0.72, color=colour)
    axes.plot(values, [at] * len(values), "o", color=_INK, markersize=2.5, alpha=0.7)
    axes.annotate(
        f"{median:,.0f}" if median >= 100 else f"{median:.3g}",
        (max(values), at),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
    )


def _end_to_end(run: Run) -> Figure | None:
    """The percentiles at each fixed rate."""
    lines = []
    for case, subject in run.rows("end_to_end"):
        columns = [
            list(run.values("end_to_end", case, subject, name).values()) for name in _LATENCIES
        ]
        if all(columns):
            lines.append((case, columns))
    if not lines:
        return None
    figure = Figure(figsize=(_WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(lines)
    for number, (case, columns) in enumerate(lines):
        places = [at + (number - (len(lines) - 1) / 2) * width for at in range(len(columns))]
        medians = [statistics.median(values) for values in columns]
        colour = (OURS_COLOUR, *PEER_COLOURS)[number % 5]
        axes.bar(places, medians, width=width * 0.92, color=colour, label=case)
        for place, values in zip(places, columns, strict=True):
            axes.plot([place] * len(values), values, "o", color=_INK, markersize=2.5, alpha=0.7)
    axes.set_xticks(range(3), ["p50", "p95", "p99"])
    axes.set_ylabel("milliseconds")
    axes.set_title("From request to SMTP acceptance", loc="left", weight="bold")
    figure.legend(loc="outside right upper", frameon=False)
    _quieten(axes)
    return figure


def _colours(subjects: Sequence[str]) -> dict[str, str]:
    peers = [subject for subject in subjects if not subject.startswith("Carillon")]
    return {
        subject: PEER_COLOURS[peers.index(subject) % len(PEER_COLOURS)]
        if subject in peers
        else OURS_COLOUR
        for subject in subjects
    }


def _quieten(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_INK)
