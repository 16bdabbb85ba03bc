"""What a run has shown, for programs; and what of it is a failure, for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from carillon_stack.chaos.comparison import EXAMPLES, Account, Finding
from carillon_stack.chaos.injector import Occurrence
from carillon_stack.chaos.latencies import Latencies
from carillon_stack.chaos.recovery import Recovery


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked of a run. `seconds` of load, `rate` notifications a second."""

    seconds: float
    rate: float
    seed: int
    only: tuple[str, ...]
    scale: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run has shown."""

    wanted: Wanted
    occurrences: Sequence[Occurrence]
    recoveries: Sequence[Recovery]
    account: Account
    accept: Latencies
    accept_outside_outages: Latencies
    settled_after: float | None
    engines: Mapping[str, Mapping[str, Any]]
    unwell: Sequence[str]
    left_in_queues: Mapping[str, int]

    @property
    def failures(self) -> list[str]:
        """What must not be, in sentences; none of them: the run has passed."""
        account = self.account
        judged = {
            "accepted and lost": len(account.lost),
            "statuses that contradict what was received": len(account.contradictions),
            "repeats under another Message-ID or collapse key": account.other_mark,
            "repeats of text messages, which carry no mark": account.unmarked,
            "refused": account.refused.total(),
            "never answered": account.unanswered,
            "messages left in queues": sum(self.left_in_queues.values()),
        }
        failures = [f"{count} {what}" for what, count in judged.items() if count]
        if self.unwell:
            failures.append(f"not well after all was mended: {', '.join(self.unwell)}")
        if not account.accepted:
            failures.append("nothing was accepted")
        return failures

    @property
    def longest_recovery(self) -> float:
        return max((recovery.longest for recovery in self.recoveries), default=0.0)

    def described(self) -> dict[str, Any]:
        """Return the report as a program reads it."""
        account = self.account
        return {
            **asdict(self.wanted),
            "passed": not self.failures,
            "failures": self.failures,
            "accepted": account.accepted,
            "refused": dict(account.refused),
            "unanswered": account.unanswered,
            "delivered": account.delivered,
            "lost": _listed(account.lost),
            "repeated": {
                **_listed(account.repeats),
                "by_cause": {str(cause): count for cause, count in account.repeated.items()},
                "not_ambiguous": account.unexcused_repeats,
                "other_message_id": account.other_mark,
                "without_mark": account.unmarked,
            },
            "contradictions": _listed(account.contradictions),
            "dead_lettered": {str(why): count for why, count in account.dead_lettered.items()},
            "accept_ms": asdict(self.accept),
            "accept_ms_outside_postgres_outages": asdict(self.accept_outside_outages),
            "longest_recovery_seconds": self.longest_recovery,
            "settled_after_seconds": self.settled_after,
            "left_in_queues": dict(self.left_in_queues),
            "faults": [
                _fault(occurrence, recovery)
                for occurrence, recovery in zip(self.occurrences, self.recoveries, strict=True)
            ],
            "engines": self.engines,
        }


def _listed(findings: Sequence[Finding]) -> dict[str, Any]:
    examples = [asdict(finding) for finding in findings[:EXAMPLES]]
    return {"count": len(findings), "examples": examples}


def _fault(occurrence: Occurrence, recovery: Recovery) -> dict[str, Any]:
    fault, back = occurrence.fault, occurrence.back
    return {
        "kind": fault.kind,
        "target": fault.target,
        "trouble": fault.trouble or None,
        "began": round(occurrence.began, 2),
        "ended": round(occurrence.ended, 2),
        "target_back_after": None if back is None else round(back - occurrence.ended, 2),
        "accepting_normal_after": recovery.accepting,
        "delivering_normal_after": recovery.delivering,
    }
