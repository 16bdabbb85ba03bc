"""The client on the command line; each file is a noun."""

import typer

from carillon_client.cli import (
    api_keys,
    batches,
    dead_letters,
    notifications,
    recover,
    send,
    templates,
    users,
)

app = typer.Typer(
    help="Calls the gateway at CARILLON_URL with the key in CARILLON_API_KEY.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (send, notifications, batches, dead_letters, users, templates, api_keys, recover):
    app.add_typer(part.app)

__all__ = ["app"]
