"""supervisord's configuration file, and the files and sockets its programs start from."""

import os
import socket
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from carillon_stack import launch
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

# A stopped program's port refuses connections: its socket, kept open, would have them wait.
CLOSED = ".closed"
CLOSING = """
[program:{name}]
command = {command}
autostart = false
autorestart = false
startsecs = 0
"""


class Configuration:
    """The configuration of one home's supervisord."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.run = home.folder("run")
        self.socket = home.socket("supervisor.sock")
        self.path = self.run / "supervisord.conf"

    def write(self, programs: Sequence[Program], at_once: Collection[Stage]) -> None:
        """Write what supervisord and `launch` read; ``at_once``: stages it starts by itself."""
        listening = _ports(programs)
        text = DAEMON.format(
            closed_below=CLOSED_BELOW,
            logs=self._home.logs,
            run=self.run,
            socket=self.socket,
            user="user = root\n" if os.geteuid() == 0 else "",
        )
        for program in programs:
            write_private(self._specification(program), program.specification())
            command = [str(self._specification(program)), str(self.run)]
            if program.port is not None:
                descriptor = str(FIRST_LISTENER + listening.index(program.port))
                command.append(descriptor)
                closing = _launching("close", descriptor)
                text += CLOSING.format(name=program.name + CLOSED, command=closing)
            text += PROGRAM.format(
                name=program.name,
                command=_launching(*command),
                processes=program.processes,
                stage=int(program.stage),
                autostart=str(program.stage in at_once).lower(),
                stop_signal=program.stop_signal,
                grace=program.grace,
                logs=self._home.logs,
            )
        write_private(self.path, text)

    def is_outdated(self, program: Program) -> bool:
        """Tell whether a program was started from another definition than this one."""
        try:
            return self._specification(program).read_text() != program.specification()
        except FileNotFoundError:
            return True

    def _specification(self, program: Program) -> Path:
        return self.run / f"{program.name}.specification"


def listen(programs: Sequence[Program]) -> list[int]:
    """Bind the ports of all programs; return the descriptors, where the configuration has them."""
    return [_listen(port, FIRST_LISTENER + at) for at, port in enumerate(_ports(programs))]


def _listen(port: int, descriptor: int) -> int:
    """Bind a port of loopback and return its socket under the given descriptor."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(launch.BACKLOG)
        return os.dup2(listener.fileno(), descriptor)


def _ports(programs: Sequence[Program]) -> list[int]:
    return [program.port for program in programs if program.port is not None]


def _launching(*arguments: str) -> str:
    command = [sys.executable, "-I", "-S", launch.__file__, *arguments]
    return " ".join(f'"{part}"' for part in command).replace("%", "%%")
