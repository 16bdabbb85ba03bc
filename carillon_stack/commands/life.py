"""up, down, start, stop, restart."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated

import typer

from carillon_stack.commands.screen import console, failures_shown, say
from carillon_stack.control import Control
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.home import Home
from carillon_stack.plan import Wishes
from carillon_stack.stack import Stack
from carillon_stack.supervisor import Supervisor

app = typer.Typer()
Name = Annotated[
    str, typer.Argument(metavar="SERVICE", help="A service, an engine, services, or all.")
]


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready.")] = False,
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", metavar="SERVICE=N", help="Processes behind a service's port."),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Calls from loopback need no key. For trying only.")
    ] = False,
) -> None:
    """Start engines, sandbox and services."""
    with failures_shown():
        stack = Stack(Home.from_environment(), say=say)
        wishes = Wishes(scale=scales(scale), open_loopback=open_)
        if detach:
            show_addresses(stack.up(wishes))
            return
        try:
            with interruptible():
                show_addresses(stack.up(wishes))
                say("Ctrl-C stops everything.")
                watch(stack.supervisor)
        finally:
            take_down(stack)


@app.command()
def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove this stack's data, logs and keys too.")
    ] = False,
) -> None:
    """Stop everything in order."""
    with failures_shown():
        Stack(Home.from_environment(), say=say).down(purge=purge)
        say("Stopped.")


@app.command()
def start(name: Name) -> None:
    """Start a stopped service or engine; returns when it is ready."""
    with failures_shown():
        _control().start(name)


@app.command()
def stop(name: Name) -> None:
    """Stop a service or engine until it is started again."""
    with failures_shown():
        _control().stop(name)


@app.command()
def restart(name: Name) -> None:
    """Restart a service or engine, one process after the other."""
    with failures_shown():
        _control().restart(name)


def take_down(stack: Stack) -> None:
    """Stop a stack that this command has started."""
    say("Stopping: gateway, workers, engines …")
    with uninterrupted():
        stack.down()
    say("Stopped.")


def _control() -> Control:
    home = Home.from_environment()
    return Control(Supervisor(home), Facts.load(home), say)


def scales(texts: Sequence[str] | None) -> dict[str, int]:
    """Read what ``--scale`` was given; StackError for what is not SERVICE=N."""
    return dict(map(_scale, texts or []))


def _scale(text: str) -> tuple[str, int]:
    service, _, number = text.partition("=")
    if not number.isdecimal():
        raise StackError(f"--scale {text}: write SERVICE=N, for example api_gateway=2")
    return service, int(number)


def show_addresses(facts: Facts) -> None:
    """Show where everything is."""
    ui = facts.engines["rabbitmq"].management_url
    rows = {
        "API": facts.services.get("api_gateway", ""),
        "API documentation": f"{facts.services.get('api_gateway', '')}/docs",
        "Inbox of the sandbox": facts.sandbox_url,
        "RabbitMQ": f"{ui} (guest, guest)" if ui else "",
        "API key": facts.api_key,
    }
    for label, value in rows.items():
        if value:
            console.print(f"  [dim]{label:<22}[/]{value}")


def watch(supervisor: Supervisor) -> None:
    """Return never while the stack runs; raise StackError if its supervisord is gone."""
    while supervisor.alive():
        time.sleep(1)
    raise StackError("supervisord is gone. Start again: ./carillon up")


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM interrupt like Ctrl-C; an interruption ends the block quietly."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Finish what runs even if Ctrl-C is pressed again."""
    kept = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
