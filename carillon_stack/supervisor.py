"""supervisord: configured, started, spoken to and ended."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from carillon_stack import launch, processes, unix_rpc
from carillon_stack.configuration import CLOSED, Configuration, listen
from carillon_stack.deadline import wait_until
from carillon_stack.errors import StackError
from carillon_stack.home import Home
from carillon_stack.programs import Program, Stage


@dataclass(frozen=True)
class ProcessState:
    """What supervisord says about one process."""

    program: str
    name: str
    state: str
    pid: int | None
    since: float

    @property
    def running(self) -> bool:
        return self.state == "RUNNING"


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._configuration = Configuration(home)
        self._run = self._configuration.run
        self._daemon: subprocess.Popen[bytes] | None = None

    # -- life ---------------------------------------------------------------

    def alive(self) -> bool:
        """Tell whether it answers."""
        try:
            self._call("supervisor.getState")
        except (OSError, http.client.HTTPException):
            return False
        return True

    def start(self, programs: Sequence[Program], *, at_once: Collection[Stage]) -> None:
        """Start supervisord, and with it the programs of the stages that start at once."""
        self._ended()
        self._configuration.write(programs, at_once)
        sockets = listen(programs)
        with (self._home.logs / "supervisord.out").open("wb") as output:
            self._daemon = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "supervisor.supervisord",
                    "-c",
                    str(self._configuration.path),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
                pass_fds=sockets,
                start_new_session=True,
            )
        for descriptor in sockets:
            os.close(descriptor)
        self._note(self._daemon.pid)
        wait_until(lambda: self.alive() or self._ended(), seconds=30)
        if not self.alive():
            raise StackError(f"supervisord did not start; see {self._home.logs}/supervisord.out")

    def stop(self) -> None:
        """Stop all programs in order, then supervisord; end what an earlier one left."""
        daemon = processes.read(self._run / "supervisord.json")
        if self.alive():
            for stage in sorted({stage for _, stage in self._stages()}, reverse=True):
                self._stop_groups([name for name, at in self._stages() if at == stage])
            with suppress(OSError, http.client.HTTPException):
                self._call("supervisor.shutdown")
            if daemon:
                wait_until(lambda: not daemon.lives(), seconds=30)
        self.end_leftovers()
        self._ended()

    def _ended(self) -> bool:
        """Tell whether the supervisord that this object started is gone; reap it."""
        return self._daemon is not None and self._daemon.poll() is not None

    def end_leftovers(self) -> None:
        """End processes of this home that no supervisord watches over."""
        processes.end(processes.living(self._run.glob("*.json")))
        for record in self._run.glob("*.json"):
            record.unlink(missing_ok=True)

    def leftovers(self) -> list[processes.Started]:
        """Return processes of this home that still run."""
        return processes.living(self._run.glob("*.json"))

    # -- programs -----------------------------------------------------------

    def states(self) -> list[ProcessState]:
        """Return every process, in the order of start."""
        now = time.time()
        return [
            ProcessState(
                program=row["group"],
                name=row["name"],
                state=row["statename"],
                pid=row["pid"] or None,
                since=now - (row["now"] - row["start"]),
            )
            for row in self._rows()
            if not row["group"].endswith(CLOSED)
        ]

    def _rows(self) -> list[dict[str, Any]]:
        return list(self._call("supervisor.getAllProcessInfo"))

    def itself(self) -> ProcessState:
        """Return supervisord's own state."""
        daemon = processes.read(self._run / "supervisord.json")
        pid = int(self._call("supervisor.getPID"))
        return ProcessState(
            program="supervisord",
            name="supervisord",
            state="RUNNING",
            pid=pid,
            since=daemon.at if daemon else time.time(),
        )

    def programs(self) -> list[str]:
        """Return all programs in the order of start."""
        return [name for name, _ in sorted(self._stages(), key=lambda pair: pair[1])]

    def start_program(self, name: str) -> None:
        """Have all processes of a program started that do not run; does not wait for them."""
        self._call("supervisor.startProcessGroup", name, False)

    def start_process(self, process: ProcessState) -> None:
        """Have one process started; does not wait for it."""
        self._call("supervisor.startProcess", f"{process.program}:{process.name}", False)

    def stop_programs(self, names: Collection[str]) -> None:
        """Stop all processes of some programs together; return when they are gone.

        Their ports refuse connections until they are started again.
        """
        self._stop_groups(names)
        closings = [f"{name}{CLOSED}" for name in names if name in self._with_port()]
        for closing in closings:
            self._call("supervisor.startProcessGroup", closing, False)
        wait_until(
            lambda: not any(r["pid"] for r in self._rows() if r["group"] in closings), seconds=10
        )

    def _stop_groups(self, names: Collection[str]) -> None:
        for name in names:
            self._call("supervisor.stopProcessGroup", name, False)
        self._until_gone(lambda state: state.program in names)

    def _with_port(self) -> set[str]:
        """Return the programs whose listening socket supervisord keeps."""
        groups = (row["group"] for row in self._rows())
        return {group.removesuffix(CLOSED) for group in groups if group.endswith(CLOSED)}

    def stop_process(self, process: ProcessState) -> None:
        """Stop one process; return when it is gone."""
        self._call("supervisor.stopProcess", f"{process.program}:{process.name}", False)
        self._until_gone(lambda state: state.name == process.name)

    def _until_gone(self, concerned: Callable[[ProcessState], bool]) -> None:
        # supervisord ends by force what outlives its grace time: this wait always ends.
        wait_until(lambda: not any(s.pid for s in self.states() if concerned(s)), seconds=400)

    def update(self, programs: Sequence[Program]) -> set[str]:
        """Take over a new definition of the programs; return those whose processes are outdated."""
        outdated = {
            program.name for program in programs if self._configuration.is_outdated(program)
        }
        self._configuration.write(programs, at_once={Stage.ENGINES, Stage.SANDBOX})
        _, changed, _ = self._call("supervisor.reloadConfig")[0]
        for name in changed:
            self._stop_groups([name])
            self._call("supervisor.removeProcessGroup", name)
            self._call("supervisor.addProcessGroup", name)
        return outdated - set(changed)

    def _stages(self) -> list[tuple[str, int]]:
        rows = self._call("supervisor.getAllConfigInfo")
        found = {(row["group"], row["group_prio"]) for row in rows}
        return sorted(pair for pair in found if not pair[0].endswith(CLOSED))

    def _note(self, pid: int) -> None:
        specification = {"stage": 1000, "stop_signal": "KILL", "grace": 5}
        launch.note(self._run / "supervisord.json", specification, pid)

    def _call(self, method: str, *arguments: Any) -> Any:
        return unix_rpc.call(self._configuration.socket, method, *arguments)
