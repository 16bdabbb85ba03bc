"""What a person sees: tables, details, complaints; and JSON for programs."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.schemas.vocabulary import Status

console = Console(highlight=False, soft_wrap=True)
uncut = Console(highlight=False, width=10_000)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]

_COLOURS = {
    Status.SENT: "green",
    Status.DELIVERED: "green",
    Status.FAILED: "red",
    Status.BOUNCED: "red",
    Status.COMPLAINED: "red",
    Status.SKIPPED: "yellow",
    Status.CANCELLED: "yellow",
    Status.EXPIRED: "yellow",
}


def show_json(data: BaseModel | Sequence[BaseModel]) -> None:
    """Print what the gateway told, and nothing else."""
    typer.echo(to_json(data, indent=2))


def show_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A line for each, never cut, so that ids can be copied; says so when there is none."""
    table = Table(*headings, box=None, header_style="dim", pad_edge=False)
    for row in rows:
        table.add_row(*map(shown, row))
    if table.row_count:
        uncut.print(table)
    else:
        console.print("[dim]None.[/]")


def show_details(details: Mapping[str, Any]) -> None:
    """A line for each name that has a value."""
    table = Table.grid(padding=(0, 3))
    for name, value in details.items():
        if value is not None:
            table.add_row(Text(name, style="dim"), shown(value))
    console.print(table)


def show_done(sentence: str) -> None:
    """Say that it is done."""
    console.print(Text.assemble(("✓ ", "bold green"), shown(sentence)))


def complain(sentence: str, fields: Sequence[str] = ()) -> None:
    """Say what went wrong, and with which fields."""
    errors.print(Text.assemble(("✗ ", "bold red"), shown(sentence)))
    for field in fields:
        errors.print(Text.assemble("  ", shown(field)))


def shown(value: Any) -> Text:
    """A value as a person reads it, on a terminal that it cannot command."""
    match value:
        case Text():
            return value
        case Status():
            return Text(value, style=_COLOURS.get(value, "cyan"))
        case None:
            return Text("-", style="dim")
        case bool():
            return Text("yes", style="green") if value else Text("no", style="red")
        case _:
            return Text(_harmless(_words(value)))


def _words(value: Any) -> str:
    match value:
        case datetime():
            return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
        case dict():
            return ", ".join(f"{name}={item}" for name, item in value.items())
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _harmless(text: str) -> str:
    """The text without the characters that move a cursor or change colours."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "�" for c in text)
