"""Python packages of peers and plots, in a folder of their own: the product's stay as they are."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from carillon_stack.errors import StackError
from carillon_stack.home import REPOSITORY, Home

REQUIREMENTS = REPOSITORY / "requirements" / "bench.txt"


def ensure(home: Home, say: Callable[[str], None]) -> Path:
    """The folder that holds them, for PYTHONPATH; raises StackError when pip fails."""
    folder, stamp = home.path / "packages", home.path / "packages.installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    with (home.folder("") / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == wanted):
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, home.logs / "pip.log", say)
            stamp.write_text(wanted)
    return folder


def _install(folder: Path, log: Path, say: Callable[[str], None]) -> None:
    say(f"Installing requirements/bench.txt into {folder}, hashes checked (log: {log})")
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    # Not compiled beforehand: most of it is never imported.
    target = ["--no-compile", "--target", str(folder)]
    locked = ["--require-hashes", "--no-deps", "-r", str(REQUIREMENTS)]
    with log.open("w") as output:
        done = subprocess.run(
            [*pip, *target, *locked], stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        raise StackError("pip failed:\n  " + "\n  ".join(log.read_text().splitlines()[-12:]))
