"""The checks behind ``doctor``."""

import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from carillon_stack.engines import choice, debian, install, postgres, rabbitmq, redis
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.home import Home
from carillon_stack.ports import is_free
from carillon_stack.rolling import ready
from carillon_stack.services import SERVICES
from carillon_stack.supervisor import Supervisor

GIBIBYTE = 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing that was checked; the remedy says what to do when it is not healthy."""

    subject: str
    healthy: bool
    found: str
    remedy: str = ""


def examine(home: Home, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Check the machine, then the stack in this home."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        lambda: _room(home),
        _files,
        lambda: _engines(environment),
        lambda: _provider_keys(environment),
        lambda: _stack(home),
    ]
    return [finding for check in checks for finding in check()]


def _python() -> Iterator[Finding]:
    yield Finding(
        "Python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} on {platform.platform()}",
        "Install Python 3.11 or newer and run ./carillon with it.",
    )


def _room(home: Home) -> Iterator[Finding]:
    folder = home.folder("")
    yield Finding(
        "home",
        os.access(folder, os.W_OK),
        str(folder),
        f"Make {folder} writable, or set CARILLON_HOME to another folder.",
    )
    free = shutil.disk_usage(folder).free
    yield Finding(
        "disk",
        free > 2 * GIBIBYTE,
        f"{free / GIBIBYTE:.1f} GiB free",
        "Free 2 GiB: RabbitMQ stops accepting when the disk is nearly full.",
    )
    memory = psutil.virtual_memory().available
    running = Supervisor(home).alive()
    yield Finding(
        "memory",
        running or memory > GIBIBYTE,
        f"{memory / GIBIBYTE:.1f} GiB available",
        "Free 1 GiB of memory: the idle stack needs about half of it.",
    )


def _files() -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Finding("open files", soft >= 1024, f"limit {soft}", "Raise it: ulimit -n 4096")


def _engines(environment: Mapping[str, str]) -> Iterator[Finding]:
    binaries = {
        "postgres": (postgres.binaries, "postgres"),
        "rabbitmq": (rabbitmq.server, ""),
        "redis": (redis.server, ""),
    }
    for name, (find, program) in binaries.items():
        label, variable = install.LABELS[name], choice.VARIABLES[name]
        if environment.get(variable):
            yield Finding(label, healthy=True, found=f"given by {variable}")
        elif install.is_here(name) and (path := find()):
            yield Finding(label, healthy=True, found=_version_of(path / program))
        else:
            installable = debian.can_install()
            found = "not installed" + "; ./carillon up brings it with apt-get" * installable
            yield Finding(label, installable, found, install.remedy([name]))


def _version_of(binary: Path) -> str:
    if binary.name == "rabbitmq-server":
        return str(binary)
    result = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=False)
    return result.stdout.strip()


def _provider_keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    if "FCM_SERVER_KEY" in environment:
        yield Finding(
            "FCM_SERVER_KEY",
            healthy=False,
            found="set, but Google switched off the API it belonged to in 2024",
            remedy="Set FCM_PROJECT_ID and FCM_CREDENTIALS_FILE (service-account JSON) instead.",
        )


def _stack(home: Home) -> Iterator[Finding]:
    supervisor = Supervisor(home)
    if not supervisor.alive():
        leftovers = supervisor.leftovers()
        yield Finding(
            "stack",
            not leftovers,
            f"not running; {len(leftovers)} processes left over" if leftovers else "not running",
            "./carillon down ends them; ./carillon up starts clean.",
        )
        for service in SERVICES:
            if not is_free(service.port):
                found = f"{service.port} is taken; {service.name} will use another port"
                yield Finding("port", healthy=True, found=found)
        return
    try:
        facts = Facts.load(home)
    except StackError as failure:
        yield Finding("stack", False, str(failure), "./carillon down, then ./carillon up")
        return
    for process in supervisor.states():
        healthy = process.running and ready(supervisor, facts, process)
        yield Finding(
            process.name,
            healthy,
            "ready" if healthy else f"{process.state.lower()}, not ready",
            f"./carillon logs {process.program}, then ./carillon restart {process.program}",
        )
