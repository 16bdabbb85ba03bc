"""What every engine offers, whether it is private or given."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from carillon_stack.programs import Program


class Engine(Protocol):
    """A server the services stand on."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...

    def prepare(self) -> None:
        """Make data folders and configuration; harmless when they exist."""

    def programs(self) -> Sequence[Program]:
        """Return what supervisord has to run; nothing for an engine that is given."""

    async def ping(self) -> None:
        """Return when the engine answers; raise OSError or its client's error when it does not."""


def find_binary(name: str, *folders: str) -> Path | None:
    """Return a program from the PATH or the given folders (patterns; the newest match wins)."""
    found = shutil.which(name)
    if found:
        return Path(found)
    for folder in folders:
        anchor = Path(folder).anchor
        for match in sorted(
            Path(anchor).glob(f"{folder.removeprefix(anchor)}/{name}"), key=_version
        )[::-1]:
            if os.access(match, os.X_OK):
                return match
    return None


def _version(path: Path) -> list[int]:
    digits = "".join(letter if letter.isdigit() else " " for letter in str(path))
    return [int(number) for number in digits.split()]


def bare_environment(home_folder: Path) -> dict[str, str]:
    """Return an environment in which nothing of the caller's changes how an engine behaves."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ", "TMPDIR") if name in os.environ}
    return {"PATH": os.defpath, **kept, "HOME": str(home_folder), "LC_ALL": "C"}
