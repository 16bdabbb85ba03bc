"""send."""

from typing import Annotated

import typer

from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import AsJson, console, show_done, show_json
from carillon_client.cli.timeline import REACHED, show_until_final
from carillon_client.cli.variables import Assignments, assigned
from shared.schemas.vocabulary import Channel, Priority

app = typer.Typer()


@app.command()
def send(
    user: Annotated[int, typer.Option(metavar="ID", help="Who is told.")],
    template: Annotated[str, typer.Option(metavar="ID", help="What they are told.")],
    channel: Annotated[Channel, typer.Option(help="How.")],
    var: Assignments = None,
    priority: Annotated[Priority, typer.Option(help="How urgent.")] = Priority.NORMAL,
    category: Annotated[str | None, typer.Option(help="What kind of message this is.")] = None,
    locale: Annotated[str | None, typer.Option(help="Language; else the user's own.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Repeated with it, nothing is sent twice.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the timeline until it is final.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="How long to follow.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Send a notification; with --follow, fail if it did not go out."""
    with gateway() as carillon:
        accepted = carillon.send(
            user_id=user,
            channel=channel,
            template_id=template,
            variables=assigned(var),
            priority=priority,
            category=category,
            locale=locale,
            idempotency_key=idempotency_key,
        )
        if not follow:
            if as_json:
                show_json(accepted)
            else:
                show_done(f"{accepted.status} for {accepted.channel}: {accepted.request_id}")
                console.print(f"  [dim]./carillon notifications show {accepted.request_id}[/]")
            return
        if as_json:
            *_, last = carillon.follow(accepted.request_id, seconds=seconds)
            show_json(last)
        else:
            console.print(f"{accepted.channel} [dim]{accepted.request_id}[/]")
            last = show_until_final(carillon, str(accepted.request_id), seconds)
        if last.status not in REACHED:
            raise typer.Exit(1)
