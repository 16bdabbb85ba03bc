"""api-keys: list, create, revoke."""

from typing import Annotated

import typer

from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import (
    AsJson,
    Limit,
    console,
    show_details,
    show_done,
    show_json,
    show_table,
)
from shared.schemas.access import Scope
from shared.schemas.vocabulary import Mode

app = typer.Typer()
group = typer.Typer(help="Who may call the gateway.", no_args_is_help=True)
app.add_typer(group, name="api-keys")


@group.command("list")
def show_list(limit: Limit = 20, as_json: AsJson = False) -> None:
    """The newest first."""
    with gateway() as carillon:
        found = list(carillon.api_keys.list(limit=limit))
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "name", "begins with", "scopes", "mode", "last used", "revoked"),
        ((k.id, k.name, k.prefix, k.scopes, k.mode, k.last_used_at, k.revoked_at) for k in found),
    )


@group.command()
def create(
    name: Annotated[str, typer.Option(help="For whom it is.")],
    scope: Annotated[list[Scope], typer.Option(help="What it allows. Repeatable.")],
    mode: Annotated[Mode, typer.Option(help="`test` keys send nothing.")] = Mode.LIVE,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown this once."""
    with gateway() as carillon:
        made = carillon.api_keys.create(name, scope, mode=mode)
    if as_json:
        show_json(made)
        return
    show_details({"id": made.id, "name": made.name, "scopes": made.scopes, "key": made.key})
    console.print("[yellow]Keep this key: it is not shown again.[/]")


@group.command()
def revoke(key_id: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Refuse a key from now on."""
    with gateway() as carillon:
        revoked = carillon.api_keys.revoke(key_id)
    if as_json:
        show_json(revoked)
    else:
        show_done(f"Key {revoked.id} ({revoked.name}) is revoked.")
