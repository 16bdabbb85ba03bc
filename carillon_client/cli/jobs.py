"""Jobs on dead letters, from a question to a progress bar."""

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import console, show_done, show_json, show_table
from carillon_client.client import Carillon
from carillon_client.fields import DeadLetterFields
from shared.schemas.dead_letters import (
    DeadLetterJob,
    DeadLetterPreview,
    JobAction,
    JobState,
)

_DONE = {JobAction.REDRIVE: "redriven", JobAction.DISCARD: "discarded"}


def carried_out(
    action: JobAction,
    wanted: DeadLetterFields,
    *,
    everything: bool,
    dry_run: bool,
    rate: int,
    yes: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Count what is meant, ask, start a job and follow it."""
    if not wanted and not everything:
        raise typer.BadParameter("say which: an ID, a filter such as --reason, or --all")
    with gateway() as carillon:
        if dry_run:
            _show_preview(carillon.dead_letters.preview(**wanted), as_json=as_json)
            return
        if not yes:
            total = carillon.dead_letters.preview(**wanted).total
            typer.confirm(f"{action.capitalize()} {total} dead letters?", abort=True, err=True)
        job = carillon.dead_letters.start(action, rate_per_second=rate, **wanted)
        if wait:
            show_progress(carillon, job, as_json=as_json)
        else:
            show_job(job, as_json=as_json)


def show_progress(carillon: Carillon, job: DeadLetterJob, *, as_json: bool) -> None:
    """Follow a job until it is over; it goes on when nobody looks."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    try:
        with Progress(*columns, console=console, transient=True, disable=as_json) as progress:
            bar = progress.add_task(f"Job {job.id}", total=job.total)
            for now in carillon.dead_letters.follow(job.id):
                progress.update(bar, completed=now.done + now.skipped)
                job = now
    except KeyboardInterrupt:
        console.print(f"The job goes on. [dim]./carillon dead-letters jobs {job.id}[/]")
        raise
    show_job(job, as_json=as_json)
    if job.state is JobState.CANCELLED:
        raise typer.Exit(1)


def show_job(job: DeadLetterJob, *, as_json: bool) -> None:
    """How far it is, and why letters were skipped."""
    if as_json:
        show_json(job)
        return
    told = f"{job.done} {_DONE[job.action]}, {job.skipped} skipped"
    if job.state is JobState.FINISHED:
        show_done(f"{told}.")
    else:
        console.print(f"Job {job.id} is {job.state}: {told}, {job.remaining} remaining.")
    if job.skipped_why:
        show_table(
            ("skipped", "count", ""),
            ((why, count, why.meaning) for why, count in job.skipped_why.items()),
        )
    if job.state is JobState.RUNNING:
        console.print(f"  [dim]./carillon dead-letters jobs {job.id}[/]")


def _show_preview(preview: DeadLetterPreview, *, as_json: bool) -> None:
    if as_json:
        show_json(preview)
        return
    console.print(f"{preview.total} dead letters fit; nothing was started.")
    if preview.by_reason:
        show_table(
            ("reason", "count", ""),
            ((one.value, one.count, one.meaning) for one in preview.by_reason),
        )
