"""The gateway that commands call, and how its refusals reach a person."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from carillon_client.cli.screen import complain
from carillon_client.client import Carillon
from carillon_client.errors import UNREACHABLE, CarillonError

URL, API_KEY = "CARILLON_URL", "CARILLON_API_KEY"


@contextmanager
def gateway() -> Iterator[Carillon]:
    """A client for the gateway that the environment names.

    A CarillonError inside is shown as a sentence with its fields, and ends the command with 1.
    """
    try:
        with _connected() as carillon:
            yield carillon
    except CarillonError as error:
        details = [f"{field.path}: {field.problem}" for field in error.fields]
        if error.code == UNREACHABLE:
            details.append("Start the stack: ./carillon up --detach")
        complain(error.message, details)
        raise typer.Exit(1) from error


def _connected() -> Carillon:
    url = os.environ.get(URL)
    if not url:
        complain(
            f"No stack is known here. Start one with ./carillon up --detach, "
            f"or name a gateway in {URL} and its key in {API_KEY}."
        )
        raise typer.Exit(1)
    try:
        return Carillon(url, os.environ.get(API_KEY) or None)
    except ValueError as error:
        complain(f"{URL} or {API_KEY} is wrong: {error}")
        raise typer.Exit(1) from error
