"""users: list, show, create, update, delete."""

from typing import Annotated

import typer

from carillon_client.cli import devices, preferences
from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import (
    AsJson,
    Limit,
    show_details,
    show_done,
    show_json,
    show_table,
)
from carillon_client.fields import NewUserFields, UserFields
from shared.schemas.users import User

app = typer.Typer()
group = typer.Typer(help="The people who are notified.", no_args_is_help=True)
app.add_typer(group, name="users")
for part in (preferences, devices):
    group.add_typer(part.app)

Id = Annotated[int, typer.Argument(metavar="ID")]
Phone = Annotated[str | None, typer.Option(help="International: +14155552671.")]
ExternalId = Annotated[str | None, typer.Option(help="Your own id of the person.")]


@group.command("list")
def show_list(
    username: Annotated[str | None, typer.Option(help="Exactly this one.")] = None,
    email: Annotated[str | None, typer.Option(help="Exactly this one.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Exactly this one.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """By id."""
    with gateway() as carillon:
        found = list(
            carillon.users.list(
                username=username, email=email, external_id=external_id, limit=limit
            )
        )
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "username", "email", "phone", "external id", "active"),
        ((u.id, u.username, u.email, u.phone_number, u.external_id, u.active) for u in found),
    )


@group.command()
def show(user_id: Id, as_json: AsJson = False) -> None:
    """One person."""
    with gateway() as carillon:
        _show(carillon.users.get(user_id), as_json=as_json)


@group.command()
def create(
    username: Annotated[str, typer.Option(help="Unique, whatever its case.")],
    email: Annotated[str, typer.Option(help="Unique.")],
    phone: Phone = None,
    external_id: ExternalId = None,
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Ask for a password; none is needed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a user."""
    new = NewUserFields(username=username, email=email, phone_number=phone, external_id=external_id)
    if ask_password:
        new["password"] = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    with gateway() as carillon:
        _show(carillon.users.create(**new), as_json=as_json)


@group.command()
def update(
    user_id: Id,
    username: Annotated[str | None, typer.Option()] = None,
    email: Annotated[str | None, typer.Option()] = None,
    phone: Annotated[str | None, typer.Option(help='International; "" clears it.')] = None,
    external_id: Annotated[str | None, typer.Option(help='Your own id; "" clears it.')] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether anything is sent.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given."""
    changes = UserFields()
    if username is not None:
        changes["username"] = username
    if email is not None:
        changes["email"] = email
    if phone is not None:
        changes["phone_number"] = phone or None
    if external_id is not None:
        changes["external_id"] = external_id or None
    if active is not None:
        changes["active"] = active
    with gateway() as carillon:
        _show(carillon.users.update(user_id, **changes), as_json=as_json)


@group.command()
def delete(
    user_id: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove everything that is kept of a person."""
    if not yes:
        typer.confirm(f"Remove user {user_id}, their preferences and devices?", abort=True)
    with gateway() as carillon:
        carillon.users.delete(user_id)
    show_done(f"User {user_id} is removed.")


def _show(user: User, *, as_json: bool) -> None:
    if as_json:
        show_json(user)
        return
    show_details(
        {
            "id": user.id,
            "username": user.username,
            "email": user.email,
            "phone": user.phone_number,
            "external id": user.external_id,
            "active": user.active,
            "made": user.created_at,
            "changed": user.updated_at,
        }
    )
