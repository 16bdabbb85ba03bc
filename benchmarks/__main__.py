"""The command line: ``python -m benchmarks``, or ``./carillon bench``."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from benchmarks import run as runs
from benchmarks.benches import BENCHES
from benchmarks.needs import packages
from benchmarks.reporting import tables
from benchmarks.results import Run
from benchmarks.size import QUICK, Size
from carillon_stack.commands.screen import failures_shown
from carillon_stack.errors import StackError
from carillon_stack.home import REPOSITORY, Home

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
progress = Console(stderr=True, highlight=False, soft_wrap=True)
BEGAN = time.monotonic()


def say(line: str) -> None:
    """Show a line of progress and how long it has been, beside the result."""
    passed = int(time.monotonic() - BEGAN)
    progress.print(f"{passed // 60:>3}:{passed % 60:02} {line}", markup=False)


@app.command()
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMES]", help=f"Of {', '.join(BENCHES)}.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often, everybody in turn.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="How long each load of accept lasts.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every sample.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smoke of seconds; its figures mean nothing.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a report with plots here.")
    ] = None,
    of: Annotated[
        Path | None,
        typer.Option("--of", metavar="JSON", help="Measure nothing: tell of an earlier run."),
    ] = None,
) -> None:
    """Measure the suite beside its peers, on a stack of its own."""
    home = Home(Home.from_environment().path / "bench")
    with failures_shown():
        if of is not None:
            run, finished = Run.load(of), True
        else:
            size = (QUICK if quick else Size()).altered(rounds, seconds)
            run = runs.begin(size, quick=quick)
            finished = measured(run, chosen(names or []), size, home)
        typer.echo(json.dumps(asdict(run), indent=1) if as_json else tables.whole(run))
        if report is not None and finished:
            write_report(run, report, home)
    raise typer.Exit(130 if not finished else 1 if run.failed else 0)


def measured(run: Run, wanted: list[str], size: Size, home: Home) -> bool:
    """Whether the run came to its end; what it measured is kept in any case."""
    if run.about["was_busy"]:
        say(f"This machine is busy (load {run.about['load_before']}): take nothing for true.")
    try:
        with alone(home):
            return uvloop.run(until_interrupted(runs.measure(run, wanted, size, home, say)))
    finally:
        if run.samples:
            say(f"Samples: {keep(run, home)}")


def write_report(run: Run, folder: Path, home: Home) -> None:
    """Plots need packages that the product does without: a process of its own makes them."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(packages.ensure(home, say))]),
    }
    command = [sys.executable, "-P", "-m", "benchmarks.reporting.document"]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        run.save(Path(file.name))
        done = subprocess.run([*command, file.name, str(folder)], env=environment, check=False)
    if done.returncode != 0:
        raise StackError("The report could not be written; see above.")
    say(f"Report: {folder / 'README.md'}")


async def until_interrupted(work: Coroutine[None, None, None]) -> bool:
    """Whether it came to its end. Ctrl-C and SIGTERM end it, and everything it started."""
    task = asyncio.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        say("Interrupted: everything was taken down.")
        return False
    return True


def chosen(names: list[str]) -> list[str]:
    """The benches to run, in their own order; raises StackError for an unknown name."""
    if unknown := set(names) - BENCHES.keys():
        raise StackError(f"There is no bench {', '.join(unknown)}. Known: {', '.join(BENCHES)}")
    return [name for name in BENCHES if not names or name in names]


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Two runs at once would measure each other."""
    with (home.folder("") / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError("Another ./carillon bench runs in this home.") from None
        yield


def keep(run: Run, home: Home) -> Path:
    """Saves a run, also an unfinished one; where."""
    path = home.folder("results") / f"{run.about['started_at'].replace(':', '-')}.json"
    run.save(path)
    return path


if __name__ == "__main__":
    sys.exit(app())
