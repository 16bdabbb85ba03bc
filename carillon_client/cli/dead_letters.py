"""dead-letters: list, show, redrive, discard, jobs, cancel."""

import base64
from collections.abc import Sequence
from typing import Annotated

import typer

from carillon_client.cli.gateway import gateway
from carillon_client.cli.jobs import carried_out, show_job, show_progress
from carillon_client.cli.letters_wanted import (
    All,
    ByChannel,
    ByProvider,
    ByReason,
    BySince,
    ByTemplate,
    ByUntil,
    ByUser,
    chosen,
)
from carillon_client.cli.screen import (
    AsJson,
    Limit,
    console,
    show_details,
    show_done,
    show_json,
    show_table,
)
from carillon_client.cli.variables import Assignments, assigned
from carillon_client.fields import RecipientFields
from shared.schemas.dead_letters import (
    DeadLetterDetail,
    DeadLetterGroup,
    GroupBy,
    JobAction,
    LetterState,
)

app = typer.Typer()
group = typer.Typer(help="What failed: see it, send it again.", no_args_is_help=True)
app.add_typer(group, name="dead-letters")

LetterId = Annotated[int | None, typer.Argument(metavar="[ID]")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count only.")]
Rate = Annotated[int, typer.Option(min=1, metavar="N", help="At most so many a second.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job until it is over.")]

_SHOWN_CHARACTERS = 2000


@group.command("list")
def show_list(
    reason: ByReason = None,
    channel: ByChannel = None,
    template: ByTemplate = None,
    provider: ByProvider = None,
    user: ByUser = None,
    since: BySince = None,
    until: ByUntil = None,
    state: Annotated[LetterState, typer.Option(help="Only these.")] = LetterState.OPEN,
    group_by: Annotated[GroupBy | None, typer.Option(help="Count them by this.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """The newest first; or how many there are of each, the most frequent first."""
    wanted = chosen(reason, channel, template, provider, user, since, until)
    with gateway() as carillon:
        if group_by is not None:
            _show_groups(carillon.dead_letters.groups(group_by, state=state, **wanted), as_json)
            return
        found = list(carillon.dead_letters.list(state=state, limit=limit, **wanted))
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "kept", "user", "channel", "template", "provider", "reason", "notification"),
        (
            (
                one.id, one.created_at, one.user_id, one.channel, one.template_id, one.provider,
                one.reason, one.request_id,
            )
            for one in found
        ),
    )  # fmt: skip


@group.command()
def show(letter_id: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """A dead letter with its message."""
    with gateway() as carillon:
        found = carillon.dead_letters.get(letter_id)
    if as_json:
        show_json(found)
        return
    message = found.message or {}
    show_details(
        {
            "id": found.id,
            "state": found.state,
            "reason": found.reason,
            "why": found.meaning,
            "last error": found.last_error,
            "attempts": found.attempts,
            "provider": found.provider,
            "notification": found.request_id,
            "generation": found.generation,
            "user": found.user_id,
            "channel": found.channel,
            "template": found.template_id,
            "variables": message.get("variables") or None,
            "recipient": message.get("recipient"),
            "body": _text(found),
            "kept": found.created_at,
            "resolved": found.resolved_at,
        }
    )


@group.command()
def redrive(
    letter_id: LetterId = None,
    var: Assignments = None,
    email: Annotated[str | None, typer.Option(help="To this address instead. With ID.")] = None,
    phone: Annotated[str | None, typer.Option(help="To this number instead. With ID.")] = None,
    push_token: Annotated[
        str | None, typer.Option(help="To this device instead (FCM). With ID.")
    ] = None,
    reason: ByReason = None,
    channel: ByChannel = None,
    template: ByTemplate = None,
    provider: ByProvider = None,
    user: ByUser = None,
    since: BySince = None,
    until: ByUntil = None,
    everything: All = False,
    dry_run: DryRun = False,
    rate: Rate = 50,
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Send one again, with other variables or to another recipient; or all that fit."""
    wanted = chosen(reason, channel, template, provider, user, since, until)
    recipient = _recipient(email, phone, push_token)
    if letter_id is None:
        if var or recipient:
            raise typer.BadParameter("variables and a recipient are for one dead letter: name it")
        carried_out(
            JobAction.REDRIVE, wanted, everything=everything, dry_run=dry_run, rate=rate,
            yes=yes, wait=wait, as_json=as_json,
        )  # fmt: skip
        return
    _refuse_filter(bool(wanted) or everything or dry_run)
    with gateway() as carillon:
        redriven = carillon.dead_letters.redrive(
            letter_id, variables=assigned(var) or None, recipient=recipient
        )
    if as_json:
        show_json(redriven)
    else:
        show_done(f"Queued again as generation {redriven.generation}: {redriven.request_id}")
        console.print(f"  [dim]./carillon notifications show {redriven.request_id}[/]")


@group.command()
def discard(
    letter_id: LetterId = None,
    reason: ByReason = None,
    channel: ByChannel = None,
    template: ByTemplate = None,
    provider: ByProvider = None,
    user: ByUser = None,
    since: BySince = None,
    until: ByUntil = None,
    everything: All = False,
    dry_run: DryRun = False,
    rate: Rate = 1000,
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Say that nothing more is to come of one, or of all that fit."""
    wanted = chosen(reason, channel, template, provider, user, since, until)
    if letter_id is None:
        carried_out(
            JobAction.DISCARD, wanted, everything=everything, dry_run=dry_run, rate=rate,
            yes=yes, wait=wait, as_json=as_json,
        )  # fmt: skip
        return
    _refuse_filter(bool(wanted) or everything or dry_run)
    with gateway() as carillon:
        carillon.dead_letters.discard(letter_id)
    show_done(f"Dead letter {letter_id} is discarded; its notification stays failed.")


@group.command()
def jobs(
    job_id: Annotated[int | None, typer.Argument(metavar="[ID]")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """The newest first; or follow one until it is over."""
    with gateway() as carillon:
        if job_id is not None:
            show_progress(carillon, carillon.dead_letters.job(job_id), as_json=as_json)
            return
        found = list(carillon.dead_letters.jobs(limit=limit))
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "asked", "action", "state", "total", "done", "skipped", "remaining", "filter"),
        (
            (
                one.id, one.created_at, one.action, one.state, one.total, one.done, one.skipped,
                one.remaining, one.filter.model_dump(mode="json", exclude_none=True) or "all",
            )
            for one in found
        ),
    )  # fmt: skip


@group.command()
def cancel(job_id: Annotated[int, typer.Argument(metavar="JOB")], as_json: AsJson = False) -> None:
    """Stop a job where it is."""
    with gateway() as carillon:
        show_job(carillon.dead_letters.cancel(job_id), as_json=as_json)


def _show_groups(found: Sequence[DeadLetterGroup], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    show_table(("", "count", ""), ((one.value, one.count, one.meaning or "") for one in found))


def _text(found: DeadLetterDetail) -> str | None:
    """The beginning of a body that is no message."""
    if found.body_base64 is None:
        return None
    text = base64.b64decode(found.body_base64).decode(errors="replace")[:_SHOWN_CHARACTERS]
    return f"{text}\n({found.body_bytes} bytes)"


def _recipient(
    email: str | None, phone: str | None, push_token: str | None
) -> RecipientFields | None:
    given = RecipientFields()
    if email is not None:
        given["email"] = email
    if phone is not None:
        given["phone"] = phone
    if push_token is not None:
        given["push"] = {"value": push_token}
    return given or None


def _refuse_filter(given: bool) -> None:
    if given:
        raise typer.BadParameter("an ID names one dead letter: leave filters and --dry-run out")
