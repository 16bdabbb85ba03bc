"""users preferences."""

from typing import Annotated

import typer

from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import AsJson, console, show_details, show_json, shown
from carillon_client.fields import PreferencesFields
from carillon_client.users import ChangedPreferences
from shared.schemas.users import Preferences

app = typer.Typer()


@app.command()
def preferences(
    user_id: Annotated[int, typer.Argument(metavar="ID")],
    email: Annotated[bool | None, typer.Option(help="Allow emails.")] = None,
    push: Annotated[bool | None, typer.Option(help="Allow pushes.")] = None,
    sms: Annotated[bool | None, typer.Option(help="Allow SMS.")] = None,
    push_token: Annotated[str | None, typer.Option(help="Register this device (FCM).")] = None,
    language: Annotated[str | None, typer.Option(help='Such as pt-BR; "" clears it.')] = None,
    timezone: Annotated[
        str | None, typer.Option(help='Such as Europe/Berlin; "" clears it.')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a user allows; change what is given."""
    changes = PreferencesFields()
    if email is not None:
        changes["email_enabled"] = email
    if push is not None:
        changes["push_enabled"] = push
    if sms is not None:
        changes["sms_enabled"] = sms
    if push_token is not None:
        changes["push_token"] = push_token
    if language is not None:
        changes["language"] = language or None
    if timezone is not None:
        changes["timezone"] = timezone or None
    with gateway() as carillon:
        found: Preferences = (
            carillon.users.change_preferences(user_id, **changes)
            if changes
            else carillon.users.preferences(user_id)
        )
    if as_json:
        show_json(found)
    else:
        _show(found)


def _show(found: Preferences) -> None:
    show_details(
        {
            "email": found.email_enabled,
            "push": found.push_enabled,
            "sms": found.sms_enabled,
            "push token": shown(found.push_token),
            "language": shown(found.language),
            "timezone": shown(found.timezone),
        }
    )
    if isinstance(found, ChangedPreferences) and found.effective_at:
        console.print(f"[yellow]Surely obeyed from {shown(found.effective_at)} on.[/]")
