"""Install engine packages on Debian or Ubuntu without starting the packages' own servers."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from carillon_stack.errors import StackError

POLICY = Path("/usr/sbin/policy-rc.d")
SAVED_POLICY = Path("/usr/sbin/policy-rc.d.before-carillon")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/carillon.conf")
FORBID_STARTS = (
    "#!/bin/sh\n# Temporary, by Carillon: install packages without starting servers.\nexit 101\n"
)


def privilege() -> list[str] | None:
    """Return the prefix that runs a command as root, or None when this user cannot."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if (
        sudo
        and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return [sudo, "-n"]
    return None


def can_install() -> bool:
    """Tell whether apt-get is here and may be used."""
    return shutil.which("apt-get") is not None and privilege() is not None


def install(packages: Sequence[str], say: Callable[[str], None], log: Path) -> None:
    """Install packages with apt-get; their output goes to ``log``.

    Raises StackError with the log's last lines when apt-get fails.
    """
    root = privilege()
    if root is None:
        raise StackError("Installing packages needs root or sudo without a password.")
    say(f"apt-get install {' '.join(packages)} (their own servers are not started; log: {log})")
    log.parent.mkdir(parents=True, exist_ok=True)
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "apt-get", "-q"]
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    with log.open("ab") as output, _servers_held(root):
        wanted = ["install", "-y", "--no-install-recommends", *wait, *packages]
        if _run([*apt, *wanted], output) != 0:
            # Most often the package lists are missing or stale.
            _run([*apt, "update", *wait], output)
            if _run([*apt, *wanted], output) != 0:
                lines = log.read_text(errors="replace").splitlines()[-12:]
                raise StackError("apt-get install failed:\n  " + "\n  ".join(lines))


def _run(command: Sequence[str], output: IO[bytes]) -> int:
    process = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return process.returncode


@contextmanager
def _servers_held(root: Sequence[str]) -> Iterator[None]:
    """Keep packages from starting servers or creating a cluster; leave everything as found."""
    with ExitStack() as undo:
        if POLICY.exists() and not SAVED_POLICY.exists():
            _as_root(root, "mv", str(POLICY), str(SAVED_POLICY))
        undo.callback(_restore_policy, root)
        _write(root, POLICY, FORBID_STARTS, mode="755")
        made = [
            folder
            for folder in (NO_CLUSTER.parent.parent, NO_CLUSTER.parent)
            if not folder.exists()
        ]
        undo.callback(_remove_drop_in, root, made)
        _write(root, NO_CLUSTER, "create_main_cluster = false\n", mode="644")
        yield


def _restore_policy(root: Sequence[str]) -> None:
    _as_root(root, "rm", "-f", str(POLICY))
    if SAVED_POLICY.exists():
        _as_root(root, "mv", str(SAVED_POLICY), str(POLICY))


def _remove_drop_in(root: Sequence[str], made: Sequence[Path]) -> None:
    _as_root(root, "rm", "-f", str(NO_CLUSTER))
    for folder in reversed(made):
        _as_root(root, "rmdir", "--ignore-fail-on-non-empty", str(folder))


def _write(root: Sequence[str], path: Path, text: str, *, mode: str) -> None:
    _as_root(root, "mkdir", "-p", str(path.parent))
    _as_root(root, "tee", str(path), text=text)
    _as_root(root, "chmod", mode, str(path))


def _as_root(root: Sequence[str], *command: str, text: str | None = None) -> None:
    subprocess.run(
        [*root, *command], input=text, text=True, check=True, stdout=subprocess.DEVNULL, timeout=30
    )
