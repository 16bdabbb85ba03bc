"""A whole stack, started by the command line as a user would, and driven over HTTP only."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack

PATIENCE = {"CIRCUIT_BREAKER_RECOVERY_TIMEOUT": "5"}
ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items):
    """One stack serves them all, so one worker runs them all, one after the other."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("acceptance"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("stack")
    environment = {**os.environ, "CARILLON_HOME": str(home)} | PATIENCE
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

    running = Stack(carillon)
    try:
        running.up()
        yield running
    finally:
        running.close()
        carillon("down", "--purge")
