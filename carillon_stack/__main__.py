"""The command line: ``python -m carillon_stack``, or ``./carillon``."""

import importlib.util

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
if importlib.util.find_spec("carillon_client") and importlib.util.find_spec("carillon_client.cli"):
    from carillon_client.cli import app as client

    app.add_typer(client)

if __name__ == "__main__":
    app()
