"""Bring missing engine binaries to the machine, or say what to install."""

import platform
import shutil
import subprocess
from collections.abc import Callable, Sequence

from carillon_stack.engines import debian, postgres, rabbitmq, redis
from carillon_stack.errors import StackError
from carillon_stack.home import Home

LABELS = {"postgres": "PostgreSQL", "rabbitmq": "RabbitMQ", "redis": "Redis"}
DEBIAN = {"postgres": "postgresql", "rabbitmq": "rabbitmq-server", "redis": "redis-server"}
HOMEBREW = {"postgres": "postgresql@17", "rabbitmq": "rabbitmq", "redis": "redis"}


def is_here(engine: str) -> bool:
    """Tell whether the machine has an engine's binaries."""
    match engine:
        case "postgres":
            return postgres.binaries() is not None
        case "rabbitmq":
            return rabbitmq.server() is not None and rabbitmq.name_server() is not None
        case _:
            return redis.server() is not None


def ensure(engines: Sequence[str], home: Home, say: Callable[[str], None]) -> None:
    """Install what is missing; raise StackError with a remedy where that cannot be done."""
    missing = [engine for engine in engines if not is_here(engine)]
    if not missing:
        return
    say(f"Missing on this machine: {', '.join(LABELS[engine] for engine in missing)}.")
    if debian.can_install():
        debian.install([DEBIAN[engine] for engine in missing], say, home.logs / "apt.log")
    elif platform.system() == "Darwin" and (brew := shutil.which("brew")):
        packages = [HOMEBREW[engine] for engine in missing]
        say(f"brew install {' '.join(packages)}")
        subprocess.run([brew, "install", *packages], check=False)
    still_missing = [engine for engine in missing if not is_here(engine)]
    if still_missing:
        raise StackError(remedy(still_missing))


def remedy(missing: Sequence[str]) -> str:
    """Return what a person can do about missing engines."""
    return "\n".join(
        [
            f"Missing: {', '.join(LABELS[engine] for engine in missing)}. One of these helps:",
            "  Debian, Ubuntu:  sudo apt-get install " + " ".join(DEBIAN[e] for e in missing),
            "  macOS:           brew install " + " ".join(HOMEBREW[e] for e in missing),
            "  servers you have: set "
            + ", ".join(
                {"postgres": "POSTGRES_URL", "rabbitmq": "RABBITMQ_URL"}.get(e, "REDIS_URL")
                for e in missing
            )
            + " in the environment",
            "  containers:      docker compose --env-file .env.development up --build --wait",
        ]
    )
