"""What is broken when."""

from collections import Counter

import pytest

from carillon_stack.chaos.schedule import DECKS, SECONDS, Kind, draw
from carillon_stack.errors import StackError


def test_the_same_seed_draws_the_same_faults():
    assert draw(7, 300) == draw(7, 300)
    assert draw(7, 300) != draw(8, 300)


@pytest.mark.parametrize("seed", range(20))
def test_faults_come_one_after_the_other_with_pauses_and_end_before_the_load(seed: int):
    faults = draw(seed, 300)
    ends = [fault.at + fault.seconds for fault in faults]
    assert all(after.at - end > 3.9 for end, after in zip(ends, faults[1:], strict=False))
    assert faults[0].at >= 2
    assert ends[-1] < 296
    for fault in faults:
        shortest, longest = SECONDS[fault.kind]
        assert shortest <= fault.seconds <= longest
        assert (fault.target, fault.trouble) in DECKS[fault.kind]


def test_families_take_turns_and_no_target_comes_twice_before_all_came():
    faults = draw(3, 3600)
    for first in range(0, len(faults) - 4, 4):
        assert {fault.kind for fault in faults[first : first + 4]} == set(Kind)
    killed = [fault.target for fault in faults if fault.kind is Kind.KILL]
    deck = len(DECKS[Kind.KILL])
    assert len(killed) > deck
    assert set(Counter(killed[:deck]).values()) == {1}


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["kill", "redis"], {"kill redis"}),
        (["redis"], {"kill redis", "stop redis", "freeze redis"}),
        (["timeout", "email", "push"], {"provider email timeout", "provider push timeout"}),
    ],
)
def test_only_keeps_what_fits_every_sort_of_word(only: list[str], names: set[str]):
    assert {fault.name for fault in draw(1, 600, only)} == names


@pytest.mark.parametrize("only", [["nonsense"], ["kill", "timeout"]])
def test_words_that_leave_nothing_are_refused(only: list[str]):
    with pytest.raises(StackError, match="--only"):
        draw(1, 60, only)
