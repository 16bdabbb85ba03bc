"""Values given on the command line: `NAME=TEXT`, or `NAME:=JSON` for what is no text."""

import json
from typing import Annotated, Any

import typer


def assigned(words: list[str] | None) -> dict[str, Any]:
    """The values by name; raises typer.BadParameter."""
    return dict(map(_assignment, words or []))


def _assignment(word: str) -> tuple[str, Any]:
    name, found, text = word.partition("=")
    if not found or not name.removesuffix(":"):
        raise typer.BadParameter(f"{word!r}: write NAME=TEXT, or NAME:=JSON")
    if not name.endswith(":"):
        return name, text
    try:
        return name[:-1], json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{word!r} holds no JSON: {error}") from error


Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=TEXT",
        help="A variable of the template; NAME:=JSON for numbers, lists, …. Repeatable.",
    ),
]
