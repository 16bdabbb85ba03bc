"""What is broken when: drawn from a seed before the run, so that the same seed breaks the same."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from carillon_stack.errors import StackError
from carillon_stack.services import SERVICES

SANDBOX = "sandbox"
ENGINES = ("postgres", "rabbitmq", "redis")
PROCESSES = (*(service.name for service in SERVICES), SANDBOX, *ENGINES)
# Email has the most traffic, so it meets the most trouble.
CHANNELS = ("email", "email", "push", "sms")

FIRST_AFTER_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 8.0


class Kind(StrEnum):
    """The families of faults."""

    KILL = "kill"
    """SIGKILL to one process; supervisord starts it again."""
    STOP = "stop"
    """An engine is shut down in good order, stays away, and is started again."""
    FREEZE = "freeze"
    """SIGSTOP, later SIGCONT: it holds its connections and answers nobody."""
    PROVIDER = "provider"
    """The sandbox does to one channel what real providers do."""


TROUBLES: dict[str, dict[str, Any]] = {
    "reject_transient": {"rate": 0.5},
    "throttle": {"rate": 0.5},
    "unavailable": {"rate": 0.5},
    "slow": {"latency_ms": 700},
    "timeout": {"rate": 0.2},
    "disconnect": {"rate": 0.5},
    "disconnect_after_accept": {"rate": 0.3},
    "down": {},
}
"""The sandbox's faults that are used, each with how it is used; see its `faults.py`."""

SECONDS: dict[Kind, tuple[float, float]] = {
    Kind.KILL: (0.0, 0.0),
    Kind.STOP: (2.0, 8.0),
    Kind.FREEZE: (1.0, 4.0),
    Kind.PROVIDER: (3.0, 8.0),
}
"""The shortest and the longest of each kind."""

DECKS: dict[Kind, tuple[tuple[str, str], ...]] = {
    Kind.KILL: tuple((name, "") for name in PROCESSES),
    Kind.STOP: tuple((name, "") for name in ENGINES),
    Kind.FREEZE: tuple((name, "") for name in PROCESSES),
    Kind.PROVIDER: tuple((channel, trouble) for trouble in TROUBLES for channel in CHANNELS),
}
"""What can be drawn: targets, and for providers the trouble."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is broken `at` so many seconds into the run, for `seconds`.

    `target` is a process, an engine, or the channel whose provider misbehaves with `trouble`.
    `seed` draws which of a service's processes it is, and which tries of a provider.
    """

    at: float
    seconds: float
    kind: Kind
    target: str
    trouble: str = ""
    seed: int = field(default=0, repr=False)

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.kind, self.target, self.trouble)))


def draw(seed: int, seconds: float, only: Sequence[str] = ()) -> list[Fault]:
    """The faults of a run of so many seconds.

    Families take turns and none of their targets comes twice before all came once. `only` keeps
    the kinds, targets and troubles named; raises StackError for a word that names nothing.
    """
    chance = random.Random(seed)  # noqa: S311 - the same seed shall draw the same
    decks = {kind: _dealt(chance, cards) for kind, cards in _kept(only).items()}
    shortest = min(LONGEST_PAUSE_SECONDS / 2, seconds / 16)
    at = FIRST_AFTER_SECONDS
    faults: list[Fault] = []
    while True:
        for kind in chance.sample(list(decks), len(decks)):
            target, trouble = next(decks[kind])
            lasting = round(chance.uniform(*SECONDS[kind]), 1)
            if at + lasting > seconds - shortest:
                return faults
            faults.append(
                Fault(round(at, 1), lasting, kind, target, trouble, chance.randrange(2**31))
            )
            at += lasting + chance.uniform(shortest, 2 * shortest)


def _dealt(chance: random.Random, cards: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Cards without end: shuffled anew each time that all were dealt."""
    while True:
        yield from chance.sample(cards, len(cards))


def _kept(only: Sequence[str]) -> dict[Kind, list[tuple[str, str]]]:
    """The cards that fit every sort of word among `only`."""
    sorts: tuple[set[str], ...] = (
        set(Kind),
        {*PROCESSES, *CHANNELS},
        set(TROUBLES),
    )
    if unknown := set(only).difference(*sorts):
        known = ", ".join(sorted(set[str]().union(*sorts)))
        raise StackError(f"--only {', '.join(sorted(unknown))}: use some of {known}")
    wanted = [named & set(only) or None for named in sorts]

    def fits(*words: str) -> bool:
        return all(
            names is None or word in names for names, word in zip(wanted, words, strict=True)
        )

    kept = {
        kind: [(target, trouble) for target, trouble in cards if fits(kind, target, trouble)]
        for kind, cards in DECKS.items()
    }
    if not any(kept.values()):
        raise StackError(f"--only {' '.join(only)}: no fault is all of these at once")
    return {kind: cards for kind, cards in kept.items() if cards}
