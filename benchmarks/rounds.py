"""Rounds: everybody in turn, and nobody always first or after the same one."""

from collections.abc import Sequence
from typing import TypeVar

Subject = TypeVar("Subject")


def in_turn(subjects: Sequence[Subject], number: int) -> list[Subject]:
    """The subjects in the order of a round, counted from 1: rotated, and backwards in even ones."""
    shift = (number - 1) // 2 % len(subjects)
    order = [*subjects[shift:], *subjects[:shift]]
    return order if number % 2 else order[::-1]
