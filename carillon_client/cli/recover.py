"""recover: rebuild the queues from PostgreSQL."""

from datetime import datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import AsJson, console, show_done, show_json
from carillon_client.client import Carillon
from shared.schemas.recoveries import Recovery, RecoveryState

app = typer.Typer()


@app.command()
def recover(
    restored_from: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
            help="When the backup was made, if PostgreSQL was restored from one.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although RabbitMQ seems to have lost nothing.")
    ] = False,
    rate: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="At most so many a second.")
    ] = 1000,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow it until it is finished.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Rebuild the queues from PostgreSQL after RabbitMQ's disk is lost.

    Nothing is sent twice: what had gone out is known by its claim, and what nobody can tell is
    held in the dead letters. How to restore a backup: docs/backup-and-restore.md.
    """
    with gateway() as carillon:
        recovery = carillon.recoveries.start(
            # Without a zone it is this machine's time.
            restored_from=restored_from.astimezone() if restored_from else None,
            force=force,
            rate_per_second=rate,
        )
        if wait:
            recovery = _followed(carillon, recovery, quiet=as_json)
    if as_json:
        show_json(recovery)
    else:
        _show(recovery)


def _followed(carillon: Carillon, recovery: Recovery, *, quiet: bool) -> Recovery:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    try:
        with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
            bar = progress.add_task("Recovering", total=None)
            for now in carillon.recoveries.follow(recovery.id):
                doing = f"Waiting for {now.waiting_for}" if now.waiting_for else "Recovering"
                progress.update(bar, description=doing, total=now.total, completed=now.looked_at)
                recovery = now
    except KeyboardInterrupt:
        console.print("The recovery goes on.")
        raise
    return recovery


def _show(recovery: Recovery) -> None:
    told = f"{recovery.enqueued} enqueued, {recovery.held} held"
    if recovery.state is RecoveryState.FINISHED:
        show_done(f"Recovered: {told}, of {recovery.looked_at} that were not finished.")
    else:
        waits = f", it waits for {recovery.waiting_for}" if recovery.waiting_for else ""
        console.print(f"Recovery {recovery.id} is {recovery.state}{waits}: {told}.")
    if recovery.held:
        console.print(
            "Those held may have gone out, and nobody can tell: "
            "[dim]./carillon dead-letters list --reason outcome_unknown[/]"
        )
