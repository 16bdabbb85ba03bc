"""Become a program: the step between supervisord and what it runs.

supervisord starts ``python launch.py SPECIFICATION FOLDER [SOCKET]``. This notes the process in
FOLDER, so that it can be found again if supervisord dies, and turns into the program: same
process id, nothing left of Python in memory. Only the standard library, to start quickly.

``python launch.py close SOCKET`` is its counterpart: a listening socket that supervisord keeps
for a program refuses connections from then on, until the program starts again. Its port stays
taken meanwhile.
"""

import json
import os
import pwd
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

# A program that ends at once is started again at this pace, without giving up.
SECONDS_BETWEEN_STARTS = 2.0
# As many callers as wait without an answer while a program starts anew; what the kernel allows.
BACKLOG = 4096


def started_ticks(pid: int) -> int | None:
    """Return when a process started, in an unit that never changes while it lives; Linux only."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def main(specification_file: str, folder: str, listener: str = "") -> None:
    """Read the specification, wait for what it needs, and become the program."""
    specification = json.loads(Path(specification_file).read_text())
    record = Path(folder) / f"{os.environ['SUPERVISOR_PROCESS_NAME']}.json"
    pace(record)
    note(record, specification, os.getpid())
    if specification["after_port"]:
        wait_for_port(specification["after_port"])
    if listener:
        hand_over(int(listener))
    os.nice(specification["niceness"])
    if specification["user"]:
        become(specification["user"])
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # supervisord's sockets for other programs
    os.chdir(specification["directory"])
    command = specification["command"]
    os.execvpe(command[0], command, specification["environment"])  # noqa: S606 - no shell wanted


def close(listener: str) -> None:
    """Stop listening, for all who share the socket; `hand_over` listens again."""
    with socket.socket(fileno=int(listener)) as shared:
        with suppress(OSError):
            shared.shutdown(socket.SHUT_RDWR)
        # Where both sides allow reuse, Linux gives a port away that nobody listens on.
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def pace(record: Path) -> None:
    """Sleep if this program was started only just now."""
    try:
        since = time.time() - json.loads(record.read_text())["at"]
    except (OSError, ValueError, KeyError):
        return
    if 0 <= since < SECONDS_BETWEEN_STARTS:
        time.sleep(SECONDS_BETWEEN_STARTS - since)


def note(record: Path, specification: dict[str, object], pid: int) -> None:
    """Write down which process this is and how it wants to be stopped."""
    fresh = record.with_name(f".{record.name}.{pid}")
    kept = {name: specification[name] for name in ("stage", "stop_signal", "grace")}
    about = {"pid": pid, "ticks": started_ticks(pid), "at": time.time(), **kept}
    fresh.write_text(json.dumps(about))
    fresh.replace(record)


def wait_for_port(port: int) -> None:
    """Return when somebody listens on this port of loopback."""
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def hand_over(descriptor: int) -> None:
    """Make the inherited listening socket file descriptor 0 of the program."""
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(BACKLOG)
    os.dup2(descriptor, 0, inheritable=True)
    os.close(descriptor)


def become(user: str) -> None:
    """Give up root for good."""
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


if __name__ == "__main__":
    if sys.argv[1] == "close":
        close(sys.argv[2])
    else:
        main(*sys.argv[1:])
