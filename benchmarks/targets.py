"""What the figures are held against: ratios of two subjects in the same round."""

import operator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from benchmarks.results import Run, Summary


class Figure(NamedTuple):
    """Where a number stands in a run."""

    case: str
    subject: str
    name: str


@dataclass(frozen=True)
class Target:
    """A figure, over another of the same round where there is one, and what it should be."""

    bench: str
    says: str
    figure: Figure
    over: Figure | None
    bound: Literal["at least", "at most"]
    needed: float
    wanted: float
    unit: str = "×"

    def reached(self, run: Run) -> Summary | None:
        """What the run shows; None when it has no round with both figures."""
        ours = run.values(self.bench, *self.figure)
        if self.over is None:
            return Summary.of(list(ours.values()))
        theirs = run.values(self.bench, *self.over)
        rounds = [number for number in ours if theirs.get(number)]
        return Summary.of([ours[number] / theirs[number] for number in rounds])

    def holds(self, reached: Summary) -> bool:
        within = operator.ge if self.bound == "at least" else operator.le
        return bool(within(reached.median, self.needed))


OURS = "Carillon"
KEYED = "Carillon, idempotency keys"
EMPTY = "(a) empty route"
TEXTBOOK = "(b) Redis, confirmed publish"
CELERY = "(c) Celery"
SINGLY, BATCHES = "1 a request", "1,000 a request"
WARM, COLD = "Carillon, warm", "Carillon, users never seen"
BARE, CELERY_WORKER = "(a) bare aiosmtplib", "(b) Celery, smtplib"
ONE_BY_ONE = "(c) one by one"
EMAILS = "emails"
HELD = "highest rate held"
ACCEPT, LIST_PAGE = "accept", "list page"


def connections(count: int) -> str:
    """The case of a load on so many connections."""
    return f"{count} connection{'s' * (count > 1)}"


def rows(count: int) -> str:
    """The case of a table that holds so many."""
    return f"{count:,} rows"


_1, _64 = connections(1), connections(64)
_LEAST, _MOST = rows(10_000), rows(1_000_000)


def _rate(case: str, subject: str) -> Figure:
    return Figure(case, subject, "requests_per_second")


def _mails(subject: str) -> Figure:
    return Figure(EMAILS, subject, "emails_per_second")


TARGETS = (
    Target(
        "accept",
        "accepting, 64 connections, against a route that does nothing",
        _rate(_64, OURS),
        _rate(_64, EMPTY),
        "at least",
        0.7,
        1.0,
    ),
    Target(
        "accept",
        "accepting, 64 connections, against the textbook design",
        _rate(_64, OURS),
        _rate(_64, TEXTBOOK),
        "at least",
        3.0,
        5.0,
    ),
    Target(
        "accept",
        "accepting, 1 connection, p50 against the empty route's",
        Figure(_1, OURS, "p50_ms"),
        Figure(_1, EMPTY, "p50_ms"),
        "at most",
        4.0,
        3.0,
    ),
    Target(
        "batch",
        "notifications a second in batches, against single accepts",
        Figure(BATCHES, OURS, "notifications_per_second"),
        Figure(SINGLY, OURS, "notifications_per_second"),
        "at least",
        6.0,
        10.0,
    ),
    Target(
        "deliver",
        "delivering, warm, against bare aiosmtplib",
        _mails(WARM),
        _mails(BARE),
        "at least",
        0.3,
        0.5,
    ),
    Target(
        "deliver",
        "delivering, warm, against Celery with smtplib",
        _mails(WARM),
        _mails(CELERY_WORKER),
        "at least",
        4.0,
        8.0,
    ),
    Target(
        "deliver",
        "delivering to users never seen, against warm",
        _mails(COLD),
        _mails(WARM),
        "at least",
        0.6,
        0.9,
    ),
    Target(
        "end_to_end",
        "emails a second held, all on this machine",
        Figure(HELD, OURS, "emails_per_second"),
        None,
        "at least",
        700,
        1000,
        "/s",
    ),
    Target(
        "end_to_end",
        "p99 from request to SMTP acceptance at 200/s",
        Figure("200/s", OURS, "p99_ms"),
        None,
        "at most",
        100,
        100,
        "ms",
    ),
    Target(
        "scale",
        "cost of an accept with 1,000,000 rows, against 10,000",
        Figure(_MOST, ACCEPT, "ms_per_request"),
        Figure(_LEAST, ACCEPT, "ms_per_request"),
        "at most",
        1.2,
        1.05,
    ),
    Target(
        "scale",
        "cost of a list page with 1,000,000 rows, against 10,000",
        Figure(_MOST, LIST_PAGE, "ms_per_request"),
        Figure(_LEAST, LIST_PAGE, "ms_per_request"),
        "at most",
        1.2,
        1.05,
    ),
)
