"""Engines alone, without services: what tests stand on."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from carillon_stack.engines import choice
from carillon_stack.engines.choice import Engines
from carillon_stack.home import Home
from carillon_stack.ports import Ports
from carillon_stack.programs import Stage
from carillon_stack.supervisor import Supervisor


@contextmanager
def running_engines(
    home: Home,
    *,
    caller: Mapping[str, str] = os.environ,
    say: Callable[[str], None] = print,
) -> Iterator[Engines]:
    """Run PostgreSQL, RabbitMQ and Redis in this home and end them afterwards, come what may.

    Engines whose URL is in ``caller`` are used as they are. ``environment()`` of the result has
    all three addresses.
    """
    supervisor = Supervisor(home)
    try:
        yield start_engines(home, supervisor, caller, say)
    finally:
        supervisor.stop()


def start_engines(
    home: Home, supervisor: Supervisor, caller: Mapping[str, str], say: Callable[[str], None]
) -> Engines:
    """Start engines, ending first what an interrupted run left; return when they answer."""
    if supervisor.leftovers():
        supervisor.stop()
    ports = Ports(home.ports())
    engines = choice.choose(home, ports, caller, say)
    home.remember_ports(ports.given)
    for engine in engines.all():
        engine.prepare()
    if engines.programs():
        supervisor.start(engines.programs(), at_once={Stage.ENGINES})

    async def all_ready() -> None:
        await asyncio.gather(*map(choice.until_ready, engines.all()))

    asyncio.run(all_ready())
    ports.release()
    return engines
