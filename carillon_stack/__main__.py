"""The command line: ``python -m carillon_stack``, or ``./carillon``."""

import os
from contextlib import suppress

import typer

from carillon_client.cli import app as client
from carillon_client.cli.gateway import API_KEY, URL
from carillon_stack.commands import chaos, checks, demonstration, diagnosis, life, measuring, sight
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.home import Home

app = typer.Typer(
    name="carillon",
    help="Carillon: notifications by email, push and SMS. Begin with: ./carillon demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (demonstration, life, sight, diagnosis, checks, chaos, measuring):
    app.add_typer(part.app)
app.add_typer(client)

CLIENT_COMMANDS = frozenset(typer.main.get_group(client).commands)


@app.callback()
def introduce(context: typer.Context) -> None:
    """Tell the client's commands of this home's stack, unless the caller names a gateway."""
    if context.invoked_subcommand not in CLIENT_COMMANDS or os.environ.get(URL):
        return
    with suppress(StackError):
        facts = Facts.load(Home.from_environment())
        os.environ[URL] = facts.services["api_gateway"]
        os.environ[API_KEY] = os.environ.get(API_KEY) or facts.api_key


if __name__ == "__main__":
    app()
