"""users devices."""

from typing import Annotated

import typer

from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import AsJson, show_json, show_table
from shared.schemas.profile import TargetKind

app = typer.Typer()


@app.command()
def devices(
    user_id: Annotated[int, typer.Argument(metavar="ID")],
    add: Annotated[str | None, typer.Option(metavar="TOKEN", help="Register a device.")] = None,
    kind: Annotated[TargetKind, typer.Option(help="What TOKEN is.")] = TargetKind.FCM_TOKEN,
    remove: Annotated[int | None, typer.Option(metavar="DEVICE", help="Forget a device.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a user's devices, after adding or removing one."""
    with gateway() as carillon:
        if add is not None:
            carillon.users.add_device(user_id, add, kind)
        if remove is not None:
            carillon.users.remove_device(user_id, remove)
        found = list(carillon.users.devices(user_id))
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "kind", "value", "active", "dead since"),
        ((d.id, d.kind, d.value, d.active, d.dead_since) for d in found),
    )
