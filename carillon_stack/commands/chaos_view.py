"""A chaos run's report on the screen."""

from collections.abc import Sequence

from rich.table import Table

from carillon_stack.chaos.comparison import EXAMPLES, Finding
from carillon_stack.chaos.injector import Occurrence
from carillon_stack.chaos.latencies import Latencies
from carillon_stack.chaos.recovery import Recovery
from carillon_stack.chaos.report import Report
from carillon_stack.commands.screen import console


def show(report: Report) -> None:
    """Show each fault, the account, what failed, and the verdict."""
    console.print(_faults(report.occurrences, report.recoveries))
    console.print(_account(report))
    account = report.account
    for findings in (account.lost, account.contradictions, account.repeats):
        _show_examples(findings)
    if report.failures:
        console.print("[bold red]✗ failed:[/] ", end="")
        console.print("; ".join(report.failures), markup=False)
    else:
        console.print("[bold green]✓ nothing was lost, and nothing contradicts itself.[/]")


def _faults(occurrences: Sequence[Occurrence], recoveries: Sequence[Recovery]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("fault")
    for heading in ("from", "to", "back after", "accepting after", "delivering after"):
        table.add_column(heading, justify="right")
    for occurrence, recovery in zip(occurrences, recoveries, strict=True):
        back = occurrence.back
        table.add_row(
            occurrence.fault.name,
            _seconds(occurrence.began),
            _seconds(occurrence.ended),
            "-" if back is None else _seconds(back - occurrence.ended),
            _seconds(recovery.accepting),
            _seconds(recovery.delivering),
        )
    return table


def _account(report: Report) -> Table:
    account = report.account
    share = 100 * account.unexcused_repeats / max(1, account.accepted)
    causes = ", ".join(f"{cause} {count}" for cause, count in account.repeated.items())
    reasons = ", ".join(f"{reason} {count}" for reason, count in account.dead_lettered.items())
    rows = {
        "accepted": str(account.accepted),
        "refused, never answered": f"{account.refused.total()}, {account.unanswered}",
        "delivered": str(account.delivered),
        "lost": str(len(account.lost)),
        "repeated": f"{len(account.repeats)} {causes}".strip(),
        "of which not ambiguous": f"{account.unexcused_repeats} ({share:.3f} % of accepted)",
        "of which with another mark": f"{account.other_mark}; without any {account.unmarked}",
        "dead letters": f"{account.dead_lettered.total()} {reasons}".strip(),
        "contradictions": str(len(account.contradictions)),
        "accept": _milliseconds(report.accept),
        "accept outside PostgreSQL's outages": _milliseconds(report.accept_outside_outages),
        "left in queues": str(sum(report.left_in_queues.values())),
        "longest recovery": _seconds(report.longest_recovery),
        "settled after": "never"
        if report.settled_after is None
        else _seconds(report.settled_after),
        **{
            engine: ", ".join(f"{name} {value}" for name, value in settings.items())
            for engine, settings in report.engines.items()
        },
    }
    table = Table.grid(padding=(0, 3))
    for name, value in rows.items():
        table.add_row(f"[dim]{name}[/]", value)
    return table


def _show_examples(findings: Sequence[Finding]) -> None:
    for finding in findings[:EXAMPLES]:
        console.print(
            f"  {finding.what}: {finding.channel} {finding.request_id}, due at {finding.due} s: "
            f"{finding.detail}",
            markup=False,
        )
        for line in finding.timeline:
            console.print(f"      {line}", markup=False, style="dim")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s"


def _milliseconds(latencies: Latencies) -> str:
    return (
        f"p50 {latencies.p50:.0f} ms, p99 {latencies.p99:.0f} ms, max {latencies.max:.0f} ms "
        f"({latencies.count})"
    )
