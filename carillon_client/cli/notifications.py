"""notifications: list, show."""

from typing import Annotated

import typer

from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import (
    AsJson,
    Limit,
    console,
    show_details,
    show_json,
    show_table,
)
from carillon_client.cli.timeline import show_timeline
from shared.schemas.vocabulary import Channel, Status

app = typer.Typer()
group = typer.Typer(help="See what became of notifications.", no_args_is_help=True)
app.add_typer(group, name="notifications")


@group.command("list")
def show_list(
    user: Annotated[int | None, typer.Option(metavar="ID", help="Only this user's.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """The newest first."""
    with gateway() as carillon:
        found = list(
            carillon.notifications(user_id=user, status=status, channel=channel, limit=limit)
        )
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "accepted", "user", "channel", "template", "status", "reason"),
        (
            (n.request_id, n.created_at, n.user_id, n.channel, n.template_id, n.status, n.reason)
            for n in found
        ),
    )


@group.command()
def show(request_id: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Where it stands, and its timeline."""
    with gateway() as carillon:
        found = carillon.notification(request_id)
    if as_json:
        show_json(found)
        return
    pinned = f" (version {found.template_version})" if found.template_version else ""
    show_details(
        {
            "id": found.request_id,
            "status": found.status,
            "why": found.meaning,
            "user": found.user_id,
            "channel": found.channel,
            "template": f"{found.template_id}{pinned}",
            "variables": found.variables or None,
            "priority": found.priority,
            "category": found.category,
            "attempts": found.attempts,
            "provider": found.provider,
            "accepted": found.created_at,
            "expires": found.expires_at,
            "correlation id": found.correlation_id,
        }
    )
    console.print()
    show_timeline(found.timeline)
