"""doctor: what a person could trip over, each with its remedy."""

import typer

from carillon_stack.commands.screen import console, failures_shown
from carillon_stack.doctor import examine
from carillon_stack.home import Home

app = typer.Typer()


@app.command()
def doctor() -> None:
    """Check this machine and the stack; exit 1 if something needs a hand."""
    with failures_shown():
        findings = examine(Home.from_environment())
    for finding in findings:
        mark = "[green]✓[/]" if finding.healthy else "[red]✗[/]"
        console.print(f"{mark} {finding.subject:<22}", end="")
        console.print(finding.found, markup=False)
        if not finding.healthy:
            console.print(f"  → {finding.remedy}", markup=False)
    raise typer.Exit(0 if all(finding.healthy for finding in findings) else 1)
