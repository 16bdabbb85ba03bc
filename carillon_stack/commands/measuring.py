"""bench: hands over to the measurements beside the product."""

import os
import sys
from typing import Annotated

import typer

app = typer.Typer()


@app.command(
    "bench",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def measure(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[NAMES] [OPTIONS]")] = None,
) -> None:
    """Measure the suite beside its peers; `bench --help` tells more."""
    command = [sys.executable, "-P", "-m", "benchmarks", *(arguments or [])]
    os.execv(sys.executable, command)  # noqa: S606 - no shell wanted
