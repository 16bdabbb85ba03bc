"""Which dead letters a command means."""

from datetime import datetime
from typing import Annotated, cast

import typer

from carillon_client.fields import DeadLetterFields
from shared.schemas.vocabulary import Channel, Reason

ByReason = Annotated[Reason | None, typer.Option(metavar="REASON", help="Only these.")]
ByChannel = Annotated[Channel | None, typer.Option(help="Only these.")]
ByTemplate = Annotated[str | None, typer.Option(metavar="ID", help="Only of this template.")]
ByProvider = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this provider.")]
ByUser = Annotated[int | None, typer.Option(metavar="ID", help="Only this user's.")]
BySince = Annotated[datetime | None, typer.Option(help="Kept at this time or later.")]
ByUntil = Annotated[datetime | None, typer.Option(help="Kept before this time.")]
All = Annotated[bool, typer.Option("--all", help="Every open one.")]


def chosen(
    reason: Reason | None,
    channel: Channel | None,
    template: str | None,
    provider: str | None,
    user: int | None,
    since: datetime | None,
    until: datetime | None,
) -> DeadLetterFields:
    """What was given; times are those of this machine's clock."""
    wanted = {
        "reason": reason,
        "channel": channel,
        "template_id": template,
        "provider": provider,
        "user_id": user,
        "since": since.astimezone() if since else None,
        "until": until.astimezone() if until else None,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    return cast("DeadLetterFields", given)
