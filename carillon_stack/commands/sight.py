"""status, info, logs."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from carillon_stack import figures
from carillon_stack.commands.screen import console, failures_shown, say
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.home import Home
from carillon_stack.supervisor import ProcessState, Supervisor

app = typer.Typer()
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
MEBIBYTE = 1024 * 1024


def running(home: Home) -> Supervisor:
    """Return the supervisor of a running stack; raise StackError if none runs."""
    supervisor = Supervisor(home)
    if not supervisor.alive():
        raise StackError("The stack does not run. Start it: ./carillon up --detach")
    return supervisor


@app.command()
def status(
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option(help="How long to measure CPU.")] = 2.0,
) -> None:
    """Show each process: state, memory (PSS), CPU of one core; and the sums."""
    with failures_shown():
        supervisor = running(Home.from_environment())
        rows = figures.measure([supervisor.itself(), *supervisor.states()], seconds=seconds)
        report = figures.described(rows)
        if as_json:
            typer.echo(json.dumps(report, indent=2))
        else:
            console.print(_table(rows, report["total"]))


def _table(rows: list[figures.Figures], total: dict[str, float]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("process", "state"):
        table.add_column(heading)
    for heading in ("pid", "uptime", "memory", "CPU"):
        table.add_column(heading, justify="right")
    for row in rows:
        colour = "green" if row.state == "RUNNING" else "red"
        table.add_row(
            row.name,
            f"[{colour}]{row.state.lower()}[/]",
            str(row.pid or "-"),
            _span(row.uptime_seconds),
            f"{row.memory_bytes / MEBIBYTE:.0f} MiB",
            f"{row.cpu_percent:.1f} %",
        )
    memory = f"{total['memory_bytes'] / MEBIBYTE:.0f} MiB"
    table.add_row("[bold]sum[/]", "", "", "", memory, f"{total['cpu_percent']:.1f} %")
    return table


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@app.command()
def info(as_json: AsJson = False) -> None:
    """Tell the addresses, the process ids and the API key."""
    with failures_shown():
        home = Home.from_environment()
        facts = Facts.load(home)
        description = facts.described(_states(home))
        if as_json:
            typer.echo(json.dumps(description, indent=2))
            return
        for kind in ("services", "engines"):
            for name, about in description[kind].items():
                pids = ", ".join(map(str, about["pids"])) or "-"
                console.print(f"  {name:<18}{about['url']}  [dim]pids {pids}[/]")
        console.print(f"  {'sandbox':<18}{facts.sandbox_url}, SMTP {facts.sandbox_smtp}")
        console.print(f"  {'API key':<18}{facts.api_key}")


def _states(home: Home) -> list[ProcessState]:
    supervisor = Supervisor(home)
    return supervisor.states() if supervisor.alive() else []


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(metavar="[SERVICE]")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option(help="Lines of each log to begin with.")] = 40,
) -> None:
    """Show the logs of everything or of one service or engine."""
    with failures_shown():
        folder = Home.from_environment().logs
        files = sorted(folder.glob(f"{name}_*.log" if name else "*_*.log"))
        if not files:
            known = ", ".join(
                sorted({file.stem.rpartition("_")[0] for file in folder.glob("*_*.log")})
            )
            raise StackError(
                f"No log of {name or 'anything'} in {folder}. There are: {known or 'none'}."
            )
        for file in files:
            for line in file.read_text(errors="replace").splitlines()[-lines:]:
                _show(file, line)
        if follow:
            _follow(files)


def _follow(files: list[Path]) -> None:
    read = {file: file.stat().st_size for file in files}
    while True:
        for file in files:
            if not file.exists():
                continue
            if file.stat().st_size < read[file]:
                read[file] = 0  # rotated
            with file.open("rb") as log:
                log.seek(read[file])
                text = log.read()
            whole = text[: text.rfind(b"\n") + 1]
            read[file] += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                _show(file, line)
        time.sleep(0.3)


def _show(file: Path, line: str) -> None:
    say(f"{file.stem} │ {line}")
