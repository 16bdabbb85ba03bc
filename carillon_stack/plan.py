"""All programs of a stack, worked out from its home, its engines and the caller's environment."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from carillon_stack.engines.choice import Engines
from carillon_stack.errors import StackError
from carillon_stack.facts import EngineFacts, Facts
from carillon_stack.home import REPOSITORY, Home
from carillon_stack.ports import Ports
from carillon_stack.programs import Program, Stage
from carillon_stack.services import Service
from carillon_stack.settings import SandboxAddress, Settings

WORKERS_NICENESS = 10
"""Callers wait for an accept, nobody for a worker: it takes the processor that is left over."""


@dataclass(frozen=True)
class Wishes:
    """What the caller of ``up`` asked for."""

    scale: Mapping[str, int] = field(default_factory=dict)
    open_loopback: bool = False


@dataclass(frozen=True)
class Plan:
    """Programs to run, and what to tell about them."""

    programs: tuple[Program, ...]
    facts: Facts


def make_plan(
    home: Home,
    ports: Ports,
    engines: Engines,
    *,
    services: Sequence[Service],
    caller: Mapping[str, str],
    wishes: Wishes,
) -> Plan:
    """Return the plan of a stack; raise StackError for a scale that names no service."""
    names = [service.name for service in services]
    for name, processes in wishes.scale.items():
        if name not in names or processes < 1:
            raise StackError(
                f"--scale {name}={processes}: use SERVICE=N with N ≥ 1 and one of {names}"
            )
    service_ports = {service.name: ports.give(service.name, service.port) for service in services}
    sandbox = SandboxAddress(ports.give("sandbox", 8025), ports.give("sandbox smtp", 2525))
    settings = Settings(home, caller, sandbox)
    urls = {name: f"http://127.0.0.1:{port}" for name, port in service_ports.items()}
    shared = {f"{name.upper()}_URL": url for name, url in urls.items()} | {
        "RABBITMQ_URL": engines.rabbitmq.url,
        "REDIS_URL": engines.redis.url,
    }

    def program(service: Service) -> Program:
        port = service_ports[service.name]
        database = database_url(engines.postgres.url, service.database)
        environment = settings.of_service(port, shared, database)
        if service.stage is Stage.DOOR:
            environment |= settings.of_gateway(open_loopback=wishes.open_loopback)
        processes = wishes.scale.get(service.name, 1)
        if processes > 1:
            environment |= settings.of_several(service.name)
        return Program(
            name=service.name,
            command=(sys.executable, "-m", service.module or service.name),
            environment=environment,
            directory=REPOSITORY,
            stage=service.stage,
            port=port,
            processes=processes,
            grace=settings.service_grace,
            niceness=WORKERS_NICENESS if service.stage is Stage.WORKERS else 0,
        )

    emulators = Program(
        name="sandbox",
        command=(sys.executable, "-m", "carillon_stack.sandbox"),
        environment=settings.of_sandbox(),
        directory=REPOSITORY,
        stage=Stage.SANDBOX,
        port=sandbox.port,
        grace=10,
    )
    return Plan(
        programs=(*engines.programs(), emulators, *map(program, services)),
        facts=Facts(
            api_key=settings.api_key,
            services=urls,
            engines={
                engine.name: EngineFacts(
                    url=engine.url,
                    programs=tuple(program.name for program in engine.programs()),
                    management_url=engines.management_url if engine.name == "rabbitmq" else None,
                )
                for engine in engines.all()
            },
            sandbox_url=sandbox.url,
            sandbox_smtp=f"127.0.0.1:{sandbox.smtp_port}",
        ),
    )


def database_url(server_url: str, database: str | None) -> str | None:
    """Return the URL of a database on the same server."""
    return urlsplit(server_url)._replace(path=f"/{database}").geturl() if database else None
