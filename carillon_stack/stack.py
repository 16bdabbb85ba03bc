"""One stack: brought up, looked at, taken down."""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from carillon_stack import readiness
from carillon_stack.deadline import wait_until
from carillon_stack.engines import choice, postgres
from carillon_stack.engines.choice import Engines
from carillon_stack.engines.engine import Engine
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.home import Home
from carillon_stack.plan import Plan, Wishes, make_plan
from carillon_stack.ports import Ports
from carillon_stack.programs import Stage
from carillon_stack.rolling import roll
from carillon_stack.services import SERVICES, Service
from carillon_stack.supervisor import Supervisor

Say = Callable[[str], None]
SECONDS_TO_READY = 90.0
KEPT_BY_PURGE = {"venv", "venv.lock"}


class Stack:
    """Engines, sandbox and services of one home."""

    def __init__(
        self,
        home: Home,
        *,
        services: Sequence[Service] = SERVICES,
        caller: Mapping[str, str] = os.environ,
        say: Say = print,
    ) -> None:
        self.home = home
        self.supervisor = Supervisor(home)
        self._services = services
        self._caller = caller
        self._say = say

    def up(self, wishes: Wishes | None = None) -> Facts:
        """Start what does not run yet and return when all is ready.

        A stack that runs already is adopted: what changed in its settings or scale is restarted.
        Raises StackError with the last lines of the log of what does not become ready.
        """
        began = time.monotonic()
        with self._alone():
            running = self.supervisor.alive()
            if not running:
                self._end_leftovers()
                self.home.forget_metrics()
            ports = Ports(self.home.ports(), held=running)
            engines = choice.choose(self.home, ports, self._caller, self._say)
            plan = make_plan(
                self.home,
                ports,
                engines,
                services=self._services,
                caller=self._caller,
                wishes=wishes or Wishes(),
            )
            self.home.remember_ports(ports.given)
            plan.facts.save(self.home)
            if running:
                self._say("Already running: starting what is stopped, restarting what changed.")
                self._adopt(plan)
            else:
                self._start(plan, engines)
            self._await_engines(engines)
            self._await_services(plan)
            ports.release()
        self._say(f"All ready after {time.monotonic() - began:.1f} s.")
        return plan.facts

    def down(self, *, purge: bool = False) -> None:
        """Stop everything in order; with ``purge`` remove this stack's data, logs and keys."""
        with self._alone():
            self.supervisor.stop()
        if purge:
            outside = postgres.outside(self.home)
            self._say(
                f"Removing {self.home.path} (kept: venv)" + f" and {outside}" * outside.exists()
            )
            shutil.rmtree(outside, ignore_errors=True)
            for entry in self.home.path.iterdir():
                if entry.name not in KEPT_BY_PURGE:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    # -- steps of up ----------------------------------------------------------

    def _start(self, plan: Plan, engines: Engines) -> None:
        for engine in engines.all():
            engine.prepare()
        private = [engine.name for engine in engines.all() if engine.programs()]
        self._say(f"Starting {', '.join([*private, 'sandbox'])} (logs: {self.home.logs})")
        at_once = {Stage.ENGINES, Stage.SANDBOX}
        self.supervisor.start(plan.programs, at_once=at_once)
        self._await(engines.postgres)
        self._create_databases(engines)
        self._say(f"Starting {', '.join(service.name for service in self._services)}")
        for program in sorted(plan.programs, key=lambda program: program.stage):
            if program.stage not in at_once:
                self.supervisor.start_program(program.name)

    def _adopt(self, plan: Plan) -> None:
        changed = self.supervisor.update(plan.programs)
        for program in sorted(plan.programs, key=lambda program: program.stage):
            self.supervisor.start_program(program.name)
            if program.name in changed and program.stage > Stage.ENGINES:
                roll(self.supervisor, plan.facts, program.name)

    def _create_databases(self, engines: Engines) -> None:
        async def create() -> None:
            for service in self._services:
                if service.database:
                    await postgres.create_database(engines.postgres.url, service.database)

        asyncio.run(create())

    def _await_engines(self, engines: Engines) -> None:
        for engine in engines.all():
            self._await(engine)

    def _await(self, engine: Engine) -> None:
        try:
            asyncio.run(choice.until_ready(engine))
        except StackError as failure:
            raise StackError(f"{failure}\n{self.last_lines(engine.name)}") from failure

    def _await_services(self, plan: Plan) -> None:
        waiting = {**plan.facts.services, "sandbox": plan.facts.sandbox_url}
        began = time.monotonic()

        def all_ready() -> bool:
            for name, url in list(waiting.items()):
                if readiness.answers_ready(url):
                    del waiting[name]
                    self._say(f"  {name} is ready ({time.monotonic() - began:.1f} s)")
            return not waiting

        if not wait_until(all_ready, seconds=SECONDS_TO_READY):
            reports = "\n".join(self.last_lines(name) for name in waiting)
            raise StackError(f"Not ready: {', '.join(waiting)}.\n{reports}")

    # -- small print ------------------------------------------------------------

    def _end_leftovers(self) -> None:
        leftovers = self.supervisor.leftovers()
        if leftovers:
            names = ", ".join(f"{process.name} (pid {process.pid})" for process in leftovers)
            self._say(f"Ending what an interrupted stack left: {names}")
        self.supervisor.end_leftovers()

    def last_lines(self, name: str, count: int = 15) -> str:
        """Return the end of a program's log, for a person."""
        log = self.home.logs / f"{name}_0.log"
        lines = log.read_text(errors="replace").splitlines()[-count:] if log.exists() else []
        return "\n".join([f"--- {log}", *(f"  {line}" for line in lines)])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold this home's lock: two commands at once take turns."""
        with (self.home.folder("run") / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
