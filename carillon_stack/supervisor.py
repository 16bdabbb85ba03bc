"""supervisord: configured, started, spoken to and ended."""

import http.client
import os
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carillon_stack import launch, processes
from carillon_stack.deadline import wait_until
from carillon_stack.errors import StackError
from carillon_stack.home import Home, write_private
from carillon_stack.programs import Program, Stage

# supervisord closes every descriptor below `minfds` in itself and in its children.
# Listening sockets lie above, so they stay open while it runs and every start inherits them.
CLOSED_BELOW = 256
FIRST_LISTENER = 300

DAEMON = """\
[supervisord]
nodaemon = true
minfds = {closed_below}
logfile = {logs}/supervisord.log
logfile_maxbytes = 2MB
logfile_backups = 1
pidfile = {run}/supervisord.pid
identifier = carillon
{user}
[unix_http_server]
file = {socket}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

# `startsecs = 0`: supervisord's own back-off grows without bound; `launch` sets the pace.
PROGRAM = """
[program:{name}]
command = {command}
process_name = %(program_name)s_%(process_num)d
numprocs = {processes}
priority = {stage}
autostart = {autostart}
autorestart = true
startsecs = 0
startretries = 1000000000
stopsignal = {stop_signal}
stopwaitsecs = {grace}
killasgroup = true
redirect_stderr = true
stdout_logfile = {logs}/%(program_name)s_%(process_num)d.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 2
"""


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
        self._run = home.folder("run")
        self._socket = home.socket("supervisor.sock")
        self._configuration = self._run / "supervisord.conf"

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
        listening = self._write(programs, at_once)
        sockets = [_listen(port, FIRST_LISTENER + place) for place, port in enumerate(listening)]
        with (self._home.logs / "supervisord.out").open("wb") as output:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)],
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
        self._note(daemon.pid)
        wait_until(lambda: self.alive() or daemon.poll() is not None, seconds=30)
        if not self.alive():
            raise StackError(f"supervisord did not start; see {self._home.logs}/supervisord.out")

    def stop(self) -> None:
        """Stop all programs in order, then supervisord; end what an earlier one left."""
        daemon = processes.read(self._run / "supervisord.json")
        if self.alive():
            for stage in sorted({stage for _, stage in self._stages()}, reverse=True):
                self.stop_programs([name for name, at in self._stages() if at == stage])
            with suppress(OSError, http.client.HTTPException):
                self._call("supervisor.shutdown")
            if daemon:
                wait_until(lambda: not daemon.lives(), seconds=30)
        self.end_leftovers()

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
        rows = self._call("supervisor.getAllProcessInfo")
        now = time.time()
        return [
            ProcessState(
                program=row["group"],
                name=row["name"],
                state=row["statename"],
                pid=row["pid"] or None,
                since=now - (row["now"] - row["start"]),
            )
            for row in rows
        ]

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
        """Stop all processes of some programs together; return when they are gone."""
        for name in names:
            self._call("supervisor.stopProcessGroup", name, False)
        self._until_gone(lambda state: state.program in names)

    def stop_process(self, process: ProcessState) -> None:
        """Stop one process; return when it is gone."""
        self._call("supervisor.stopProcess", f"{process.program}:{process.name}", False)
        self._until_gone(lambda state: state.name == process.name)

    def _until_gone(self, concerned: Callable[[ProcessState], bool]) -> None:
        # supervisord ends by force what outlives its grace time.
        wait_until(lambda: not any(s.pid for s in self.states() if concerned(s)), seconds=90)

    def update(self, programs: Sequence[Program]) -> set[str]:
        """Take over a new definition of the programs; return those whose processes are outdated."""
        outdated = {program.name for program in programs if self._is_outdated(program)}
        self._write(programs, at_once={Stage.ENGINES, Stage.SANDBOX})
        _, changed, _ = self._call("supervisor.reloadConfig")[0]
        for name in changed:
            self.stop_programs([name])
            self._call("supervisor.removeProcessGroup", name)
            self._call("supervisor.addProcessGroup", name)
        return outdated - set(changed)

    def _is_outdated(self, program: Program) -> bool:
        try:
            return self._specification(program).read_text() != program.specification()
        except FileNotFoundError:
            return True

    def _specification(self, program: Program) -> Path:
        return self._run / f"{program.name}.specification"

    def _stages(self) -> list[tuple[str, int]]:
        rows = self._call("supervisor.getAllConfigInfo")
        return sorted({(row["group"], row["group_prio"]) for row in rows})

    # -- configuration --------------------------------------------------------

    def _write(self, programs: Sequence[Program], at_once: Collection[Stage]) -> list[int]:
        """Write configuration and specifications; return the ports to listen on, in order."""
        listening = [program.port for program in programs if program.port is not None]
        text = DAEMON.format(
            closed_below=CLOSED_BELOW,
            logs=self._home.logs,
            run=self._run,
            socket=self._socket,
            user="user = root\n" if os.geteuid() == 0 else "",
        )
        for program in programs:
            specification = self._specification(program)
            write_private(specification, program.specification())
            record = self._run / f"{program.name}_%(process_num)d.json"
            command = [sys.executable, "-I", "-S", launch.__file__, str(specification), str(record)]
            if program.port is not None:
                command.append(str(FIRST_LISTENER + listening.index(program.port)))
            text += PROGRAM.format(
                name=program.name,
                command=" ".join(f'"{part}"' for part in command),
                processes=program.processes,
                stage=int(program.stage),
                autostart=str(program.stage in at_once).lower(),
                stop_signal=program.stop_signal,
                grace=program.grace,
                logs=self._home.logs,
            )
        write_private(self._configuration, text)
        return listening

    def _note(self, pid: int) -> None:
        specification = {"stage": 1000, "stop_signal": "KILL", "grace": 5}
        launch.note(self._run / "supervisord.json", specification, pid)

    def _call(self, method: str, *arguments: Any) -> Any:
        with xmlrpc.client.ServerProxy(
            "http://carillon", transport=_UnixTransport(self._socket)
        ) as proxy:
            return getattr(proxy, method)(*arguments)


def _listen(port: int, descriptor: int) -> int:
    """Bind a port of loopback and return its socket under the given descriptor."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(launch.BACKLOG)
        return os.dup2(listener.fileno(), descriptor)


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("carillon", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
