"""What is known about a stack that was started: addresses and the key to call it with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from carillon_stack.errors import StackError
from carillon_stack.home import Home, write_private
from carillon_stack.supervisor import ProcessState


@dataclass(frozen=True)
class EngineFacts:
    """An engine's address and the programs that run it; none if somebody else does."""

    url: str
    programs: tuple[str, ...]
    management_url: str | None = None


@dataclass(frozen=True)
class Facts:
    """The addresses of everything in a stack."""

    api_key: str
    services: Mapping[str, str]
    engines: Mapping[str, EngineFacts]
    sandbox_url: str
    sandbox_smtp: str

    def save(self, home: Home) -> None:
        write_private(home.path / "stack.json", json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, home: Home) -> "Facts":
        """Return the facts of the stack in this home; raise StackError if there was none yet."""
        try:
            stored = json.loads((home.path / "stack.json").read_text())
        except FileNotFoundError:
            raise StackError("Nothing runs here yet. Start it: ./carillon up --detach") from None
        stored["engines"] = {
            name: EngineFacts(**{**engine, "programs": tuple(engine["programs"])})
            for name, engine in stored["engines"].items()
        }
        return cls(**stored)

    def programs_of(self, name: str) -> tuple[str, ...]:
        """Return the programs behind a name that a person uses; raise StackError if unknown."""
        known = [*self.services, "sandbox", *self.engines]
        if name in self.engines:
            programs = self.engines[name].programs
            if not programs:
                raise StackError(f"{name} is not run by this stack: it was given by its URL.")
            # RabbitMQ's name service stays: only what answers under the engine's name moves.
            return tuple(program for program in programs if program == name)
        if name in known:
            return (name,)
        if name == "services":
            return tuple(self.services)
        raise StackError(f"There is no {name}. Known: {', '.join(known)}, services, all.")

    def described(self, states: Sequence[ProcessState]) -> dict[str, Any]:
        """Return everything a program needs to know to use the stack."""

        def pids(program: str) -> list[int]:
            return [state.pid for state in states if state.program == program and state.pid]

        def engine(name: str, about: EngineFacts) -> dict[str, Any]:
            ui = {"management_url": about.management_url} if name == "rabbitmq" else {}
            return {"url": about.url, **ui, "pids": pids(name)}

        return {
            "api_key": self.api_key,
            "services": {
                name: {"url": url, "pids": pids(name)} for name, url in self.services.items()
            },
            "engines": {name: engine(name, about) for name, about in self.engines.items()},
            "sandbox": {
                "url": self.sandbox_url,
                "smtp": self.sandbox_smtp,
                "pids": pids("sandbox"),
            },
        }
