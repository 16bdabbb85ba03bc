"""Why something was sent twice: from the moments of both copies, the faults and the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from carillon_stack.chaos.injector import Occurrence
from carillon_stack.chaos.schedule import SANDBOX, Kind
from shared.schemas.notifications import TimelineEntry

_SLACK_SECONDS = 2.0
"""Clocks are read in three processes, and what heals needs a moment to be found again."""


class Cause(StrEnum):
    """What stood between a provider's acceptance and its record."""

    AMBIGUOUS = "ambiguous_provider_answer"
    """The provider took the message and its answer was lost."""
    DEATH = "death"
    """The worker was killed before it had written down what it had sent."""
    CLAIM_STORE = "claim_store"
    """Redis was away, and with it the claims."""
    CONNECTION = "connection"
    """RabbitMQ was away, and delivered again what it had delivered before."""
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two copies of one message: moments in seconds since the load began."""

    channel: str
    first: float
    second: float
    timeline: Sequence[TimelineEntry]


def cause_of(evidence: Evidence, occurrences: Sequence[Occurrence]) -> Cause:
    """Return the cause that the evidence shows, the nearest to the provider first."""
    if _answer_was_lost(evidence, occurrences):
        return Cause.AMBIGUOUS
    worker = f"{evidence.channel}_service"
    for occurrence in occurrences:
        fault = occurrence.fault
        just_sent = abs(occurrence.began - evidence.first) <= _SLACK_SECONDS
        if fault.kind is Kind.KILL and fault.target == worker and just_sent:
            return Cause.DEATH
    for target, cause in (("redis", Cause.CLAIM_STORE), ("rabbitmq", Cause.CONNECTION)):
        for occurrence in occurrences:
            if occurrence.fault.target == target and occurrence.covers(
                evidence.first - _SLACK_SECONDS, evidence.second, slack=_SLACK_SECONDS
            ):
                return cause
    return Cause.UNEXPLAINED


def _answer_was_lost(evidence: Evidence, occurrences: Sequence[Occurrence]) -> bool:
    """Whether the provider fell silent on the first copy, and the worker said so."""
    if not any(entry.status in ("retrying", "failed") for entry in evidence.timeline):
        return False
    return answers_were_lost(evidence.channel, evidence.first, occurrences)


def answers_were_lost(channel: str, at: float, occurrences: Sequence[Occurrence]) -> bool:
    """Tell whether a channel's provider may have taken a message at this moment unanswered."""
    for occurrence in occurrences:
        fault = occurrence.fault
        lost_on_purpose = fault.target == channel and fault.trouble == "disconnect_after_accept"
        if (lost_on_purpose or fault.target == SANDBOX) and occurrence.covers(
            at - _SLACK_SECONDS, at + _SLACK_SECONDS
        ):
            return True
    return False
