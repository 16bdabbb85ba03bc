"""YAML and JSON given in a file or on standard input."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import typer


def read_mapping(source: str, known: Collection[str]) -> dict[str, Any]:
    """The names and values in a file, or on standard input for `-`; JSON is YAML too.

    Raises typer.BadParameter when it cannot be read, or holds a name that is not known.
    """
    # Only what reads a document pays for the parser: every command starts with these imports.
    import yaml  # noqa: PLC0415

    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except OSError as error:
        raise typer.BadParameter(f"{source} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"{source} is neither YAML nor JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{source} must hold names and values")
    if unknown := [str(name) for name in found if name not in known]:
        raise typer.BadParameter(
            f"{source} holds {', '.join(unknown)}; known are {', '.join(known)}"
        )
    return found
