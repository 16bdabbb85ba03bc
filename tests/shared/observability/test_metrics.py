"""Metrics of several processes behind one port."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVICE = """
from shared.observability.metrics import BREAKER_OPEN, IN_FLIGHT, NOTIFICATIONS, exposition
NOTIFICATIONS.labels("email", "queued", "").inc(3)
IN_FLIGHT.labels("email.queue").set(5)
BREAKER_OPEN.labels("smtp").set(1)
while input():
    print(exposition().decode(), end="END\\n", flush=True)
"""


class Process:
    """One process that counts three, holds five, and has a breaker open."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVICE],
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def shown(self) -> dict[str, float]:
        """What its `/metrics` would say."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("show\n")
        self._process.stdin.flush()
        lines = iter(self._process.stdout.readline, "END\n")
        values = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in values}

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(folder: Path) -> Iterator[Process]:
    process = Process(folder)
    try:
        yield process
    finally:
        process.kill()


def test_each_process_speaks_for_all(tmp_path):
    with running(tmp_path) as one, running(tmp_path) as other:
        one.shown()
        shown = other.shown()
        assert shown == one.shown()
    assert shown['carillon_notifications_total{channel="email",reason="",status="queued"}'] == 6
    assert shown['carillon_in_flight{queue="email.queue"}'] == 10


def test_of_a_process_that_died_only_what_it_counted_stays(tmp_path):
    with running(tmp_path) as one, running(tmp_path) as other:
        one.shown()
        other.shown()
        other.kill()
        shown = one.shown()
        assert shown['carillon_in_flight{queue="email.queue"}'] == 5
        assert shown['carillon_notifications_total{channel="email",reason="",status="queued"}'] == 6
        assert shown['carillon_breaker_open{name="smtp"}'] == 1
    with running(tmp_path) as third:
        assert third.shown()['carillon_in_flight{queue="email.queue"}'] == 5
