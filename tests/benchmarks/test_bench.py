"""The command from end to end, as small as it goes: figures mean nothing here, the way does."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks import targets
from benchmarks.benches import BENCHES
from benchmarks.results import Run, Sample

ROOT = Path(__file__).parents[2]
SLOW_OR_QUICK = {"no rate was held", "too few emails to tell"}
"""What a sample of a moment may say on a busy machine, or on a fast one."""

SUBJECTS = {
    "idle": {"api_gateway", "rabbitmq", "all together"},
    "accept": {
        targets.OURS,
        targets.KEYED,
        targets.EMPTY,
        targets.TEXTBOOK,
        targets.CELERY,
    },
    "deliver": {
        targets.WARM,
        targets.COLD,
        targets.BARE,
        targets.CELERY_WORKER,
        targets.ONE_BY_ONE,
    },
    "end_to_end": {targets.OURS},
    "scale": {targets.ACCEPT, targets.LIST_PAGE, "2 processes each"},
}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def run(report) -> Run:
    """A quick run of the benches that need most, with its report."""
    return measured("accept", "deliver", "end_to_end", "--report", str(report))


def measured(*words: str) -> Run:
    """What a quick run measured; it leaves nothing running."""
    before = {process.pid for process in psutil.process_iter()}
    done = subprocess.run(
        [sys.executable, "-m", "carillon_stack", "bench", "--quick", "--json", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    left = [p.cmdline() for p in psutil.process_iter() if p.pid not in before and _is_ours(p)]
    assert not left, left
    stored = json.loads(done.stdout)
    return Run(**{**stored, "samples": [Sample(**sample) for sample in stored["samples"]]})


def _is_ours(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return str(ROOT / ".carillon" / "bench") in " ".join(process.cmdline())
    return False


def assert_complete(run: Run, bench: str) -> None:
    """Everybody was measured, and nothing is void without need."""
    samples = [sample for sample in run.samples if sample.bench == bench]
    assert {sample.subject for sample in samples} >= SUBJECTS[bench]
    assert {sample.void for sample in samples} <= {None, *SLOW_OR_QUICK}


@pytest.mark.parametrize("bench", ["accept", "deliver", "end_to_end"])
def test_everybody_is_measured(run, bench):
    assert_complete(run, bench)


@pytest.mark.endurance
def test_every_bench_measures_everybody():
    run = measured()
    assert set(run.benches()) | run.skipped.keys() == BENCHES.keys()
    for bench in SUBJECTS:
        assert_complete(run, bench)


def test_it_tells_how_durable_the_engines_and_messages_were(run):
    assert run.about["engines"]["PostgreSQL"]["fsync"] == "on"
    assert run.about["engines"]["Redis"]["appendfsync"] == "everysec"
    durable = {"queue": "quorum", "persistent": "yes"}
    assert run.about["messages"] == dict.fromkeys(
        [targets.OURS, targets.KEYED, targets.TEXTBOOK, targets.CELERY], durable
    )


def test_cpu_is_told_for_each_part_that_takes_it(run):
    [ours, *_] = run.of("accept", "16 connections", targets.OURS)
    assert ours.figures["cpu_us_gateway"] > 0
    [theirs, *_] = run.of("accept", "16 connections", targets.TEXTBOOK)
    assert theirs.figures["cpu_us_peer"] > 0


def test_the_report_shows_every_bench_and_says_that_it_means_nothing(run, report):
    text = (report / "README.md").read_text()
    assert "mean nothing" in text
    for bench in run.benches():
        assert f"## {bench}" in text
    shown = {path.name for path in report.glob("*.svg")}
    assert {"accept-rate.svg", "deliver.svg", "end-to-end.svg"} <= shown
    assert all(f"({name})" in text for name in shown)
