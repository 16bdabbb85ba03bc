"""demo: from nothing to the first delivered notifications."""

import os
from collections.abc import Mapping
from typing import Annotated

import httpx
import typer

from carillon_stack.commands.life import interruptible, show_addresses, take_down, watch
from carillon_stack.commands.screen import console, failures_shown, say
from carillon_stack.demo import TEMPLATES, Demo
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.home import Home
from carillon_stack.stack import Stack

app = typer.Typer()
REAL_PROVIDERS = ("SMTP_", "FCM_", "TWILIO_")


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop everything afterwards; exit 0 if all arrived.")
    ] = False,
) -> None:
    """Start everything and send a first email, push and SMS to the sandbox."""
    delivered = False
    with failures_shown():
        caller = without_real_providers(os.environ)
        stack = Stack(Home.from_environment(), caller=caller, say=say)
        try:
            with interruptible():
                facts = stack.up()
                delivered = play(facts)
                if not once:
                    show_addresses(facts)
                    invite(facts)
                    watch(stack.supervisor)
        finally:
            take_down(stack)
    raise typer.Exit(0 if delivered else 1)


def without_real_providers(caller: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment so that nobody real is notified."""
    return {name: value for name, value in caller.items() if not name.startswith(REAL_PROVIDERS)}


def play(facts: Facts) -> bool:
    """Play the demo and tell how it went."""
    try:
        delivered = Demo(facts, say).play()
    except httpx.HTTPError as failure:
        raise StackError(
            f"The stack stopped answering: {failure!r}. See: ./carillon logs"
        ) from failure
    if delivered:
        console.print("[bold green]✓ email, push and SMS have arrived.[/]")
    else:
        console.print("[bold red]✗ not everything arrived.[/] Look into: ./carillon logs")
    return delivered


def invite(facts: Facts) -> None:
    """Show a line to try."""
    template = TEMPLATES["email"]["template_id"]
    say("Try it yourself:")
    say(
        f"  curl -s {facts.services['api_gateway']}/notifications/send"
        f" -H 'Authorization: Bearer {facts.api_key}' -H 'Content-Type: application/json'"
        f' -d \'{{"user_id": 1, "channel": "email", "template_id": "{template}",'
        ' "variables": {"name": "you", "action_url": "https://example.com"}}\''
    )
    say("Ctrl-C stops everything.")
