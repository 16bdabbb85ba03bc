"""chaos: real load while everything is broken on purpose, then the account of it."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer

from carillon_stack.chaos.report import Report, Wanted
from carillon_stack.chaos.run import Run
from carillon_stack.chaos.schedule import draw
from carillon_stack.commands.chaos_view import show
from carillon_stack.commands.demonstration import without_real_providers
from carillon_stack.commands.life import interruptible, scales, uninterrupted
from carillon_stack.commands.screen import errors, failures_shown, say
from carillon_stack.engines.choice import VARIABLES
from carillon_stack.errors import StackError
from carillon_stack.home import Home
from carillon_stack.plan import Wishes
from carillon_stack.stack import Stack

app = typer.Typer()

SCALE = {"api_gateway": 2, "email_service": 2}
PATIENCE = {"CIRCUIT_BREAKER_RECOVERY_TIMEOUT": "5"}
"""A minute's pause after each provider's trouble would hide the faults that follow."""


@app.command()
def chaos(
    seconds: Annotated[float, typer.Option(min=10, help="How long the load lasts.")] = 60,
    rate: Annotated[float, typer.Option(min=1, help="Notifications a second.")] = 50,
    seed: Annotated[int | None, typer.Option(help="Draws what is broken when.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Kinds, targets or troubles of faults; repeatable."),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", metavar="SERVICE=N", help="Processes behind a service's port."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the stack's logs and data after a pass too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Break a stack of its own under load; exit 1 if anything was lost or contradicts itself."""
    tell = (lambda line: errors.print(line, markup=False)) if as_json else say
    report: Report | None = None
    with failures_shown():
        wanted = Wanted(
            seconds=seconds,
            rate=rate,
            seed=secrets.randbelow(1_000_000) if seed is None else seed,
            only=tuple(only or ()),
            scale=SCALE | scales(scale),
        )
        with alone() as home, interruptible():
            report = break_things(home, wanted, tell, keep=keep)
    if report is None:
        raise typer.Exit(130)
    if as_json:
        typer.echo(json.dumps(report.described(), indent=2))
    else:
        show(report)
    raise typer.Exit(1 if report.failures else 0)


def break_things(home: Home, wanted: Wanted, tell: Callable[[str], None], *, keep: bool) -> Report:
    """Bring a fresh stack up, break it under load, take it down.

    Its logs and data stay to be looked at if anything failed, or with ``keep``.
    """
    schedule = draw(wanted.seed, wanted.seconds, wanted.only)
    stack = Stack(home, caller=surroundings(os.environ), say=tell)
    purge = False
    try:
        tell(f"Chaos with --seed {wanted.seed}, in {home.path}")
        stack.down(purge=True)
        facts = stack.up(Wishes(scale=wanted.scale))
        report = Run(stack, facts, wanted, tell).play(schedule)
        purge = not (keep or report.failures)
        return report
    finally:
        with uninterrupted():
            tell("Taking the stack down …" + f" Its logs stay in {home.logs}" * (not purge))
            stack.down(purge=purge)


def surroundings(caller: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment without engines and providers that belong to others."""
    given = {*VARIABLES.values(), "RABBITMQ_MANAGEMENT_URL"}
    kept = without_real_providers(caller)
    return PATIENCE | {name: value for name, value in kept.items() if name not in given}


@contextmanager
def alone() -> Iterator[Home]:
    """Give the home for chaos below the current one; StackError while another run is on there."""
    home = Home(Home.from_environment().path / "chaos")
    lock_file = Home.from_environment().folder("run") / "chaos.lock"
    with lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"Another chaos runs in {home.path}. Wait for it, or set another CARILLON_HOME."
            ) from None
        yield home
