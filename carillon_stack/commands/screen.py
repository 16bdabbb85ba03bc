"""How commands speak to a person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from carillon_stack.errors import StackError

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Show a line of progress."""
    console.print(line, markup=False)


@contextmanager
def failures_shown() -> Iterator[None]:
    """Show what the stack cannot do as a message, and exit 1."""
    try:
        yield
    except StackError as failure:
        errors.print("[bold red]✗[/]", end=" ")
        errors.print(str(failure), markup=False)
        sys.exit(1)
