"""The command line: ``python -m carillon_stack``, or ``./carillon``."""

from importlib import import_module
from importlib.util import find_spec

import typer

from carillon_stack.commands import checks, demonstration, diagnosis, life, sight

app = typer.Typer(
    name="carillon",
    help="Carillon: notifications by email, push and SMS. Begin with: ./carillon demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (demonstration, life, sight, diagnosis, checks):
    app.add_typer(part.app)
COMMANDS_OF_THE_CLIENT = "carillon_client.cli"
if find_spec("carillon_client") and (found := find_spec(COMMANDS_OF_THE_CLIENT)) and found.origin:
    app.add_typer(import_module(COMMANDS_OF_THE_CLIENT).app)

if __name__ == "__main__":
    app()
