"""A whole stack, started by the command line as a user would, and driven over HTTP only."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack

PATIENCE = {"CIRCUIT_BREAKER_RECOVERY_TIMEOUT": "5"}
ROOT = Path(__file__).parents[2]


@contextmanager
def running_stack(home: Path, settings: Mapping[str, str], *words: str) -> Iterator[Stack]:
    """A stack with these settings; `words` go to `up`."""
    environment = {**os.environ, "CARILLON_HOME": str(home)} | settings
    # Its own engines: the tests here kill them.
    for variable in ("POSTGRES_URL", "RABBITMQ_URL", "RABBITMQ_MANAGEMENT_URL", "REDIS_URL"):
        environment.pop(variable, None)

    def carillon(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "carillon_stack", *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, f"carillon {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    running = Stack(carillon, home)
    try:
        running.up(*words)
        yield running
    finally:
        running.close()
        carillon("down", "--purge")


@pytest.fixture(scope="session")
def stack(tmp_path_factory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack"), PATIENCE) as running:
        yield running
