"""test: every check and test, on private engines."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from carillon_stack.commands.life import interruptible
from carillon_stack.commands.screen import console, failures_shown, say
from carillon_stack.engines.running import running_engines
from carillon_stack.home import REPOSITORY, Home

app = typer.Typer()
BIN = Path(sys.executable).parent

CHECKS: Mapping[str, tuple[str, ...]] = {
    "lint": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy",),
    "import rules": ("lint-imports",),
}
PARALLEL = ("-n", "2")
ALL = (
    (*PARALLEL, "-m", "not alone and not endurance"),
    ("-n", "0", "-m", "alone and not endurance"),
)


@app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_tests(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[PYTEST ARGUMENTS]", help="Run only pytest.")
    ] = None,
) -> None:
    """Run lint, types, import rules and all tests; with arguments only pytest with them."""
    failed: list[str] = []
    finished = False
    with failures_shown(), interruptible():
        if not arguments:
            failed = [name for name, command in CHECKS.items() if not passes(name, command)]
        if not tests_pass(arguments or []):
            failed.append("tests")
        finished = True
    if not finished:
        say("Interrupted.")
        raise typer.Exit(130)
    if failed:
        console.print(f"[bold red]✗ failed:[/] {', '.join(failed)}")
        raise typer.Exit(1)
    console.print("[bold green]✓ all passed[/]")


def tests_pass(arguments: Sequence[str]) -> bool:
    """Run pytest on engines of its own."""
    home = Home(Home.from_environment().path / "test")
    began = time.monotonic()
    with running_engines(home, say=say) as engines:
        say(f"Engines are ready ({time.monotonic() - began:.1f} s; logs: {home.logs})")
        environment = engines.environment()
        runs = [passes("tests", ("pytest", *words), environment) for words in runs_of(arguments)]
    return all(runs)


def runs_of(arguments: Sequence[str]) -> Sequence[Sequence[str]]:
    """Return pytest's arguments, run by run."""
    if not arguments:
        return ALL
    chosen = any(word.startswith(("-n", "--numprocesses")) for word in arguments)
    return [arguments if chosen else (*PARALLEL, *arguments)]


def passes(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    """Run one check under a headline; show how long it took."""
    console.rule(f"[bold]{name}[/]", align="left")
    began = time.monotonic()
    result = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    colour, mark = ("green", "✓") if result.returncode == 0 else ("red", "✗")
    console.print(f"[{colour}]{mark} {name}[/] [dim]{time.monotonic() - began:.1f} s[/]")
    return result.returncode == 0
