"""The report of a run: a document with its plots, made from the run's JSON alone.

`python -m benchmarks.reporting.document RUN.json FOLDER`, on the packages of bench.txt.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.reporting import plots, tables
from benchmarks.results import Run

BENCHES = {
    "idle": (
        "The whole stack while nothing happens. Memory is the proportional set size, which counts "
        "shared pages once."
    ),
    "accept": (
        "`POST /notifications/send` by wrk, which sends on each connection as soon as it was "
        "answered. Ours goes through key, validation, rate limit, commit, outbox and publishing; "
        "a round counts only if the outbox is empty ten seconds after its end and everything that "
        "was answered with 202 is in the queue. CPU is that of each part for one request, until "
        "then. (a) validates the same body and answers. (b) counts in Redis, then publishes "
        "persistently and waits for the confirm. (c) calls a Celery task, published with "
        "confirms. Each is one process with the same uvicorn flags; all queues are quorum queues."
    ),
    "batch": (
        "As many notifications in requests of a thousand, beside one a request. What counts is "
        "what is in the table."
    ),
    "deliver": (
        "Queued emails, drained into smtp-sink; speed is from the first email that the sink sees "
        "to the last. Ours is one worker process, warm, and a round counts only if each "
        "notification made exactly one email and is recorded as sent. Warm: people whose profiles "
        "are in Redis; never seen: one email to each of as many people, of whom Redis knows "
        "nothing. (a) sends ready-made messages of the same size over as many connections as our "
        "worker holds. (b) renders and builds the same email in as many processes as there are "
        "cores, each with a connection that it keeps, told the address with the task; (c) does so "
        "one at a time, with a new connection for each. Nobody but ours looks a user up, obeys "
        "preferences, claims, or records what became of it."
    ),
    "end_to_end": (
        "From the moment a request is due to the moment the mail server has the email; requests "
        "leave at a fixed rate, whether or not the last was answered. The mail server's moment is "
        "the time of the file that smtp-sink writes, up to 4 ms early; `sent_at` is the worker's "
        "note of it, on the late side: the truth is between. A rate is held when all is accepted "
        "in time, and everything is sent and recorded two seconds after the last request, so that "
        "no queue has grown. No profile is cached beforehand."
    ),
    "scale": (
        "The cost of a request while the table of notifications holds so many rows, with 64 "
        "connections. And one process of gateway and email worker beside two, on the same cores."
    ),
}


def write(run: Run, folder: Path) -> None:
    """Writes README.md and the plots it shows; what a run lacks is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    drawn = plots.draw(run, folder)
    parts = ["# Measured\n", _warning(run), _about(run.about), "## Targets\n", tables.targets(run)]
    for bench in run.benches():
        parts += [f"## {bench}\n", BENCHES[bench] + "\n"]
        parts += [f"![{bench}]({name})\n" for name in drawn.get(bench, ())]
        parts.append(tables.of_bench(run, bench))
    parts += [f"`{bench}` was skipped: {why}.\n" for bench, why in run.skipped.items()]
    parts += [f"`{bench}` failed: {why}.\n" for bench, why in run.failed.items()]
    (folder / "README.md").write_text("\n".join(filter(None, parts)))


def _warning(run: Run) -> str:
    """What stands above everything when the figures are not to be believed."""
    if run.about["quick"]:
        return "**A quick run: these figures show that everything works, and mean nothing.**\n"
    if run.about["was_busy"]:
        return "**Something else was at work on this machine: take these figures for hints.**\n"
    return ""


def _about(about: Mapping[str, Any]) -> str:
    size = about["size"]
    rows = [
        ["when", about["started_at"]],
        ["revision", f"`{about['revision']}`"],
        ["machine", f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB"],
        ["system", f"{about['system']}, Python {about['python']}"],
        ["load before", f"{about['load_before']}"],
        ["rounds", f"{size['rounds']}, {size['seconds']:g} s for each load of accept"],
        *([name, _settings(values)] for name, values in about["engines"].items()),
        *([f"messages of {who}", _settings(kind)] for who, kind in about["messages"].items()),
        ["settings not at their defaults", _settings(about["altered_settings"]) or "none"],
    ]
    return (
        "Everything on one machine, load and mail server too: what counts are ratios between "
        "subjects of the same round. Cells are medians over the rounds, with their range. How it "
        "is measured and read: [docs/performance.md](../../docs/performance.md).\n\n"
        + tables.table(["", ""], rows)
    )


def _settings(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


if __name__ == "__main__":
    write(Run.load(Path(sys.argv[1])), Path(sys.argv[2]))
