"""Two programs in C: wrk makes the load, smtp-sink takes the mail. A slow one would flatter us."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from carillon_stack.engines import debian
from carillon_stack.engines.engine import find_binary
from carillon_stack.errors import StackError
from carillon_stack.home import Home

Say = Callable[[str], None]


@dataclass(frozen=True)
class Command:
    """A program, and the folder of the libraries that came with it."""

    binary: Path
    libraries: Path | None = None

    def environment(self) -> Mapping[str, str]:
        own = {"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {}
        return {"PATH": os.defpath, "LC_ALL": "C", **own}


def wrk(home: Home, say: Say) -> Command:
    """wrk; raises StackError with what to install where it cannot be brought."""
    if not find_binary("wrk") and debian.can_install():
        debian.install(["wrk"], say, home.logs / "apt.log")
    found = find_binary("wrk")
    if not found:
        raise StackError(
            "The load comes from wrk, which is missing: sudo apt-get install wrk, or "
            "brew install wrk"
        )
    return Command(found)


def smtp_sink(home: Home, say: Say) -> Command:
    """Postfix's smtp-sink: the machine's, else unpacked from Debian's package into the home.

    Installed as usual, postfix would be a mail server that starts with the machine.
    """
    if found := find_binary("smtp-sink", "/usr/sbin", "/usr/libexec/postfix"):
        return Command(found)
    folder = home.folder("postfix")
    unpacked = Command(folder / "usr/sbin/smtp-sink", folder / "usr/lib/postfix")
    if not unpacked.binary.exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        _unpack("postfix", folder, say)
    if not unpacked.binary.exists():
        raise StackError(
            "The mail goes to smtp-sink, which is missing. It comes with postfix: "
            "sudo apt-get install postfix"
        )
    _try(unpacked)
    return unpacked


def _unpack(package: str, folder: Path, say: Say) -> None:
    say(f"Unpacking smtp-sink from Debian's {package} into {folder}; nothing is installed")
    download = ["apt-get", "-q", "download", package]
    if _run(download, folder) != 0:
        root = debian.privilege()
        if root is not None:
            # Most often the package lists are missing or stale.
            _run([*root, "apt-get", "-q", "update"], folder)
        _run(download, folder)
    for archive in folder.glob(f"{package}_*.deb"):
        _run(["dpkg", "-x", str(archive), str(folder)], folder)
        archive.unlink()


def _run(command: list[str], folder: Path) -> int:
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def _try(command: Command) -> None:
    """Without arguments it shows its usage; the loader's complaint is something else."""
    done = subprocess.run(
        [str(command.binary)],
        env=dict(command.environment()),
        capture_output=True,
        text=True,
        check=False,
    )
    if "usage" not in done.stderr:
        raise StackError(
            f"{command.binary} does not run: {done.stderr.strip()}\n"
            "Install postfix with its libraries: sudo apt-get install postfix"
        )
