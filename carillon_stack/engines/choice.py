"""Which engines a stack uses: those in the environment, private ones for the rest."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from carillon_stack.engines import install, postgres, rabbitmq, redis
from carillon_stack.engines.engine import Engine
from carillon_stack.engines.given import Given
from carillon_stack.errors import StackError
from carillon_stack.home import Home
from carillon_stack.ports import Ports
from carillon_stack.programs import Program

VARIABLES = {"postgres": "POSTGRES_URL", "rabbitmq": "RABBITMQ_URL", "redis": "REDIS_URL"}
PINGS = {"postgres": postgres.ping, "rabbitmq": rabbitmq.ping, "redis": redis.ping}


@dataclass(frozen=True)
class Engines:
    """The three servers under the services."""

    postgres: Engine
    rabbitmq: Engine
    redis: Engine
    management_url: str | None

    def all(self) -> tuple[Engine, Engine, Engine]:
        return self.postgres, self.rabbitmq, self.redis

    def programs(self) -> list[Program]:
        """Return what supervisord has to run for them."""
        return [program for engine in self.all() for program in engine.programs()]

    def environment(self) -> dict[str, str]:
        """Return their addresses as environment variables; POSTGRES_URL names the server."""
        urls = {VARIABLES[engine.name]: engine.url for engine in self.all()}
        return urls | (
            {"RABBITMQ_MANAGEMENT_URL": self.management_url} if self.management_url else {}
        )


def choose(
    home: Home, ports: Ports, environment: Mapping[str, str], say: Callable[[str], None]
) -> Engines:
    """Return the engines to use; install binaries for private ones where they are missing."""
    private = [name for name, variable in VARIABLES.items() if not environment.get(variable)]
    install.ensure(private, home, say)
    chosen: dict[str, Engine] = {
        name: Given(name, environment[variable], PINGS[name])
        for name, variable in VARIABLES.items()
        if name not in private
    }
    management_url = environment.get("RABBITMQ_MANAGEMENT_URL")
    if "postgres" in private and (folder := postgres.binaries()):
        chosen["postgres"] = postgres.Postgres(home, ports, folder)
    if "rabbitmq" in private and (script := rabbitmq.server()) and (epmd := rabbitmq.name_server()):
        broker = rabbitmq.RabbitMQ(home, ports, script, epmd)
        chosen["rabbitmq"], management_url = broker, broker.management_url
    if "redis" in private and (binary := redis.server()):
        chosen["redis"] = redis.Redis(home, ports, binary)
    return Engines(**chosen, management_url=management_url)


async def until_ready(engine: Engine, *, seconds: float = 60) -> None:
    """Return when an engine answers; raise StackError with its last complaint if it does not."""
    complaint: Exception = TimeoutError()
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await engine.ping()
                except Exception as failure:  # noqa: BLE001 - every client has its own errors
                    complaint = failure
                await asyncio.sleep(0.1)
    except TimeoutError:
        message = f"{engine.name} does not answer after {seconds:.0f} s: {complaint!r}"
        raise StackError(message) from complaint
