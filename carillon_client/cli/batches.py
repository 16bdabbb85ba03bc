"""batches: list, show, retry-failed, cancel."""

from typing import Annotated

import typer

from carillon_client.cli.gateway import gateway
from carillon_client.cli.jobs import show_job, show_progress
from carillon_client.cli.screen import (
    AsJson,
    Limit,
    console,
    show_details,
    show_done,
    show_json,
    show_table,
)
from shared.schemas.batches import Batch

app = typer.Typer()
group = typer.Typer(help="Many in one call: how they fare.", no_args_is_help=True)
app.add_typer(group, name="batches")

BatchId = Annotated[str, typer.Argument(metavar="ID")]


@group.command("list")
def show_list(limit: Limit = 20, as_json: AsJson = False) -> None:
    """The newest first."""
    with gateway() as carillon:
        found = list(carillon.batches.list(limit=limit))
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "made", "mode", "total", "accepted", "refused", "cancelled"),
        (
            (
                one.batch_id, one.created_at, one.mode, one.total, one.accepted, one.refused,
                one.cancelled_at,
            )
            for one in found
        ),
    )  # fmt: skip


@group.command()
def show(batch_id: BatchId, as_json: AsJson = False) -> None:
    """How many of a batch stand where, and why some were not sent."""
    with gateway() as carillon:
        _show(carillon.batches.get(batch_id), as_json=as_json)


@group.command("retry-failed")
def retry_failed(
    batch_id: BatchId,
    rate: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many a second.")] = 50,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the job until it is over.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Send its dead letters again; what was sent stays sent."""
    with gateway() as carillon:
        job = carillon.batches.retry_failed(batch_id, rate_per_second=rate)
        if wait:
            show_progress(carillon, job, as_json=as_json)
        else:
            show_job(job, as_json=as_json)


@group.command()
def cancel(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Nothing more of it begins; what was begun goes out."""
    with gateway() as carillon:
        cancelled = carillon.batches.cancel(batch_id)
    if as_json:
        show_json(cancelled)
        return
    show_done(f"Cancelled; {cancelled.cancelled_now} had not left for the queues.")
    if not cancelled.stops_queued:
        console.print("Redis is away: what is in the queues goes out. Cancel again.")
    _show(cancelled, as_json=False)


def _show(batch: Batch, *, as_json: bool) -> None:
    if as_json:
        show_json(batch)
        return
    show_details(
        {
            "id": batch.batch_id,
            "state": batch.state,
            "total": batch.total,
            "accepted": batch.accepted,
            "replayed": batch.replayed or None,
            "refused": batch.refused,
            "refused for": batch.refused_why or None,
            "mode": batch.mode,
            "made": batch.created_at,
            "cancelled": batch.cancelled_at,
        }
    )
    if batch.statuses:
        show_table(("status", "count"), batch.statuses.items())
    if batch.reasons:
        show_table(
            ("reason", "count", ""), ((one.reason, one.count, one.meaning) for one in batch.reasons)
        )
