"""What is made of samples: ratios of the same round, medians, what does not count, who is first."""

import pytest

from benchmarks import targets
from benchmarks.benches import BENCHES
from benchmarks.reporting import tables
from benchmarks.results import Run, Sample, Summary, percentiles
from benchmarks.rounds import in_turn
from benchmarks.size import Size
from benchmarks.targets import EMPTY, OURS, TARGETS

CASE = "64 connections"
ACCEPT, TEXTBOOK = TARGETS[0], TARGETS[1]


def accepting(subject: str, number: int, rate: float, void: str | None = None) -> Sample:
    return Sample("accept", CASE, subject, number, {"requests_per_second": rate}, void)


@pytest.fixture
def run() -> Run:
    """Three rounds; in the second the machine was slow for both, and the last of ours is void."""
    rates = [(3000.0, 4000.0, None), (600.0, 1000.0, None), (9000.0, 4000.0, "the outbox is full")]
    samples = []
    for number, (ours, theirs, void) in enumerate(rates, start=1):
        samples += [accepting(OURS, number, ours, void), accepting(EMPTY, number, theirs)]
    return Run({}, samples)


def test_a_ratio_is_taken_within_each_round_and_void_rounds_do_not_count(run):
    assert ACCEPT.reached(run) == Summary(median=0.675, least=0.6, most=0.75, rounds=2)


def test_a_target_holds_by_its_median(run):
    reached = ACCEPT.reached(run)
    assert not ACCEPT.holds(reached)
    assert ACCEPT.holds(Summary(0.7, 0.1, 0.9, 5))
    at_most = next(target for target in TARGETS if target.bound == "at most")
    assert at_most.holds(Summary(at_most.needed, 0, 99, 5))
    assert not at_most.holds(Summary(at_most.needed * 1.1, 0, 99, 5))


def test_what_was_not_measured_is_said_to_be_so(run):
    assert TEXTBOOK.reached(run) is None
    rows = dict(zip((t.says for t in TARGETS), tables.targets(run).splitlines()[2:], strict=True))
    assert "not measured" in rows[TEXTBOOK.says]
    assert "0.675 (0.6–0.75) ×" in rows[ACCEPT.says]
    assert "**no**" in rows[ACCEPT.says]


def test_a_quick_run_reaches_nothing(run):
    run.about["quick"] = True
    assert "**no**" not in tables.targets(run)


def test_a_void_sample_is_shown_with_its_reason_and_in_no_median(run):
    text = tables.of_bench(run, "accept")
    assert "| 64 connections | Carillon | 1,800 (600–3,000) |" in text
    assert "64 connections, Carillon, round 3 is void: the outbox is full" in text


def test_every_target_names_a_case_that_a_whole_run_has():
    size = Size()
    cases = {
        *map(targets.connections, size.connections),
        *map(targets.rows, size.rows),
        *(f"{rate}/s" for rate in size.rates),
        *(targets.EMAILS, targets.HELD, targets.SINGLY, targets.BATCHES),
    }
    for target in TARGETS:
        assert target.bench in BENCHES
        assert target.figure.case in cases
        assert target.over is None or target.over.case in cases


def test_a_run_is_the_same_after_it_was_kept(run, tmp_path):
    run.skipped["batch"] = "no such route"
    run.save(tmp_path / "run.json")
    assert Run.load(tmp_path / "run.json") == run


@pytest.mark.parametrize("count", [2, 3, 5])
def test_everybody_is_first_as_often_as_the_others_over_the_rounds(count):
    subjects = list(range(count))
    orders = [in_turn(subjects, number) for number in range(1, 2 * count + 1)]
    assert all(sorted(order) == subjects for order in orders)
    firsts = [order[0] for order in orders]
    assert {firsts.count(subject) for subject in subjects} == {2}


def test_percentiles_are_values_that_were_seen():
    assert percentiles([5, 1, 3, 2, 4], 0, 50, 99) == [1, 3, 5]
