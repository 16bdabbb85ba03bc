"""On what, and when: what a reader must know before comparing."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from carillon_stack.home import REPOSITORY

BUSY_LOAD = 0.5
"""A load average from which on something else is at work on this machine."""


def described() -> dict[str, Any]:
    """The machine, its load before the run, and which source is measured."""
    load = os.getloadavg()[0]
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": _revision(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(load, 2),
        "was_busy": load > BUSY_LOAD,
    }


def altered_settings() -> dict[str, str]:
    """Settings of the services that the caller's environment changes."""
    example = (REPOSITORY / ".env.example").read_text()
    known = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    return {
        name: os.environ[name]
        for name in known
        if name in os.environ and not name.endswith(("PASSWORD", "TOKEN", "KEY", "URL"))
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _revision() -> str:
    """The commit, with a mark when files were changed since."""
    described = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(described, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
