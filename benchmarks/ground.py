"""The ground of a run: a stack of its own on private engines, its mail, its people, its peers."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks import letters
from benchmarks.cpu import Cpu
from benchmarks.engines import Engines
from benchmarks.journal import Say
from benchmarks.load.sink import Sink
from benchmarks.load.wrk import Requests, Wrk
from benchmarks.needs import packages, programs
from benchmarks.size import Size
from carillon_stack.control import Control
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.home import REPOSITORY, Home
from carillon_stack.plan import Wishes
from carillon_stack.ports import Ports
from carillon_stack.services import SERVICES
from carillon_stack.stack import Stack

GATEWAY, EMAIL = "api_gateway", "email_service"
_IDLE_HERE = ("push_service", "sms_service")
_NOT_OURS = ("SMTP_", "FCM_", "TWILIO_", "RATE_LIMIT_", "POSTGRES_", "RABBITMQ_", "REDIS_")
_BULK = 1000
_LOOK_SECONDS, _AT_REST = 0.25, 0.10
_PATIENCE = 4


def caller_environment(sink_port: int) -> dict[str, str]:
    """What the stack is told: the caller's settings, except where messages go and what limits."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    return kept | {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(sink_port),
        "SMTP_TLS": "none",
        "SMTP_FROM": letters.SENDER,
    }


def _take_down(stack: Stack, logs: Path) -> None:
    """Its data goes; its logs stay, for whoever wonders about a figure."""
    stack.down()
    shutil.rmtree(logs, ignore_errors=True)
    shutil.copytree(stack.home.logs, logs)
    stack.down(purge=True)


@dataclass
class Ground:
    """Everything that a bench stands on."""

    home: Home
    packages: Path
    stack: Stack
    facts: Facts
    engines: Engines
    api: httpx.AsyncClient
    sink: Sink
    wrk: Wrk
    cpu: Cpu
    say: Say
    rest_seconds: float = 5
    people: list[int] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def prepared(
        cls, home: Home, size: Size, say: Say, *, whole: bool
    ) -> AsyncIterator[Self]:
        """A fresh stack, taken down with all its data afterwards; `whole` with every service."""
        folder = await asyncio.to_thread(packages.ensure, home, say)
        wrk = Wrk(await asyncio.to_thread(programs.wrk, home, say))
        ports = Ports({})
        sink = Sink(await asyncio.to_thread(programs.smtp_sink, home, say), ports.give("smtp-sink"))
        stack = Stack(
            Home(home.path / "stack"),
            services=[service for service in SERVICES if whole or service.name not in _IDLE_HERE],
            caller=caller_environment(sink.port),
            say=lambda _: None,
        )
        async with contextlib.AsyncExitStack() as undo:
            await sink.start()
            undo.push_async_callback(sink.stop)
            ports.release()
            # What an interrupted run left is nothing to measure on.
            await asyncio.to_thread(stack.down, purge=True)
            undo.push_async_callback(asyncio.to_thread, _take_down, stack, home.logs / "stack")
            say("Starting a stack of its own …")
            facts = await asyncio.to_thread(stack.up)
            engines = await Engines.reach(facts)
            undo.push_async_callback(engines.close)
            api = await undo.enter_async_context(
                httpx.AsyncClient(
                    base_url=facts.services[GATEWAY],
                    headers={"Authorization": f"Bearer {facts.api_key}"},
                    timeout=60,
                    trust_env=False,
                )
            )
            ground = cls(
                *(home, folder, stack, facts, engines, api, sink, wrk, Cpu(stack.supervisor), say),
                size.rest_seconds,
            )
            await ground.call("POST", "/templates", letters.TEMPLATE)
            yield ground

    # -- the stack ------------------------------------------------------------

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The data of the gateway's answer; raises StackError for a refusal."""
        answer = await self.api.request(method, path, json=body)
        if not answer.is_success:
            raise StackError(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer.json()["data"]

    async def scale(self, **processes: int) -> None:
        """Runs so many processes of some services, and one of each other."""
        self.facts = await asyncio.to_thread(self.stack.up, Wishes(scale=processes))

    async def start(self, service: str) -> None:
        """Returns when it is ready; a busy machine may take longer than a person would wait."""
        for _ in range(_PATIENCE):
            with contextlib.suppress(StackError):
                await asyncio.to_thread(self._control().start, service)
                return
        raise StackError(f"{service} does not start; see its log in {self.stack.home.logs}")

    async def stop(self, service: str) -> None:
        await asyncio.to_thread(self._control().stop, service)

    def _control(self) -> Control:
        return Control(self.stack.supervisor, self.facts, lambda _: None)

    def pids(self, service: str) -> list[int]:
        states = self.stack.supervisor.states()
        return [state.pid for state in states if state.program == service and state.pid]

    @asynccontextmanager
    async def frozen(self, service: str) -> AsyncIterator[None]:
        """A service that stands still meanwhile: started and warm, but it takes nothing."""
        pids = self.pids(service)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    async def empty(self) -> None:
        """No notification anywhere, an empty Redis, and everybody at rest, if that comes soon."""
        await self.engines.empty()
        deadline = time.monotonic() + self.rest_seconds
        while time.monotonic() < deadline:
            before = await self.cpu.read()
            await asyncio.sleep(_LOOK_SECONDS)
            if before.until(await self.cpu.read()).busy_share < _AT_REST:
                return

    # -- people ---------------------------------------------------------------

    async def make_people(self, count: int) -> list[int]:
        """The ids of so many users, made where there are fewer; the n-th is reader n."""
        while len(self.people) < count:
            first = len(self.people)
            self.people += await self._put_people(range(first, min(first + _BULK, count)))
        return self.people[:count]

    async def touch_people(self, count: int) -> None:
        """Has the first users written anew, which puts their profiles into Redis."""
        for first in range(0, count, _BULK):
            await self._put_people(range(first, min(first + _BULK, count)))

    async def _put_people(self, numbers: Sequence[int]) -> list[int]:
        users = [
            {
                "external_id": f"reader-{number}",
                "username": f"reader-{number}",
                "email": letters.address(number),
            }
            for number in numbers
        ]
        answer = await self.call("PUT", "/users/bulk", {"users": users})
        return [result["user_id"] for result in answer["results"]]

    def sends(self, people: Sequence[int]) -> Requests:
        """`POST /notifications/send` for each of these users in turn."""
        path = "/notifications/send"
        return Requests.posts(path, letters.bodies(people), self.facts.api_key)

    @property
    def url(self) -> str:
        return self.facts.services[GATEWAY]

    def peer_environment(self) -> Mapping[str, str]:
        """Where peers find the engines, the sink, and their packages."""
        path = [str(REPOSITORY), str(self.packages)]
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONUNBUFFERED": "1",
            "RABBITMQ_URL": self.facts.engines["rabbitmq"].url,
            "REDIS_URL": self.facts.engines["redis"].url,
            "SINK_PORT": str(self.sink.port),
        }
