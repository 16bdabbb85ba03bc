"""The account: what was accepted against what the sandbox received and the statuses say."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from carillon_stack.chaos.causes import Cause, Evidence, answers_were_lost, cause_of
from carillon_stack.chaos.inbox import Copy, Inbox
from carillon_stack.chaos.injector import Occurrence
from carillon_stack.chaos.load import Sent
from shared.schemas.notifications import Notification, NotificationDetail, TimelineEntry
from shared.schemas.vocabulary import Reason, Status

RIGHTFUL = frozenset(
    {
        Reason.RETRIES_EXHAUSTED,
        Reason.OUTCOME_UNKNOWN,
        Reason.PROVIDER_UNAVAILABLE,
        Reason.EXPIRED,
    }
)
"""Reasons for which a notification of this load may rightly not arrive."""

EXAMPLES = 10
_RARENESS = tuple(reversed(Cause))

Look = Callable[[str], NotificationDetail]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth a look: a notification, and what is odd about it."""

    what: str
    request_id: str
    channel: str
    due: float
    detail: str
    timeline: tuple[str, ...] = ()
    """Its timeline in lines; looked up for the examples that are shown."""


@dataclass(slots=True)
class Account:
    """What became of everything that was asked for."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    delivered: int = 0
    dead_lettered: Counter[Reason] = field(default_factory=Counter)
    repeated: Counter[Cause] = field(default_factory=Counter)
    other_mark: int = 0
    unmarked: int = 0
    lost: list[Finding] = field(default_factory=list)
    repeats: list[Finding] = field(default_factory=list)
    contradictions: list[Finding] = field(default_factory=list)

    @property
    def unexcused_repeats(self) -> int:
        """Repeats that no ambiguous answer of a provider explains."""
        return self.repeated.total() - self.repeated[Cause.AMBIGUOUS]


class Comparison:
    """Compares; `started` is the Unix time at which the load began, `look` reads a timeline.

    `letters` are the dead letters: the reason of each by the notification's id.
    """

    def __init__(
        self,
        inbox: Inbox,
        statuses: Mapping[str, Notification],
        letters: Mapping[str, Reason],
        occurrences: Sequence[Occurrence],
        *,
        started: float,
        look: Look,
    ) -> None:
        self._inbox = inbox
        self._statuses = statuses
        self._letters = letters
        self._occurrences = occurrences
        self._started = started
        self._look = look

    def account(self, sent: Sequence[Sent]) -> Account:
        """Return the account of all that was sent."""
        account = Account(dead_lettered=Counter(self._letters.values()))
        for one in sent:
            if one.accepted:
                account.accepted += 1
                self._judge(one, account)
            elif one.status is None:
                account.unanswered += 1
            else:
                account.refused[str(one.status)] += 1
        account.contradictions += self._unknown({one.request_id for one in sent})
        # What is explained least is worth a look first.
        account.repeats.sort(key=lambda repeat: _RARENESS.index(Cause(repeat.what)))
        for findings in (account.lost, account.repeats, account.contradictions):
            findings[:EXAMPLES] = map(self._with_timeline, findings[:EXAMPLES])
        return account

    def _with_timeline(self, finding: Finding) -> Finding:
        if finding.request_id not in self._statuses:
            return finding
        entries = self._look(finding.request_id).timeline
        return replace(finding, timeline=tuple(self._line(entry) for entry in entries))

    def _line(self, entry: TimelineEntry) -> str:
        at = entry.at.timestamp() - self._started
        words = (entry.status, entry.reason, entry.provider, entry.device, entry.detail)
        return " ".join([f"{at:.3f} s", *(str(word) for word in words if word)])

    def _judge(self, one: Sent, account: Account) -> None:
        case = _Case(one, self._inbox, self._statuses, self._look)
        if not case.missing:
            account.delivered += 1
        elif case.reason not in RIGHTFUL:
            account.lost.append(case.finding("lost", f"{case.standing}, not received"))
        account.contradictions += self._contradictions(case)
        for copies in case.received:
            self._count_repeats(case, copies, account)

    def _contradictions(self, case: "_Case") -> Iterator[Finding]:
        received = any(case.received)
        if case.status is Status.SENT and not received:
            yield case.finding("sent, not received", case.standing)
        if case.status is Status.SKIPPED:
            yield case.finding("skipped, though the user allows it", case.standing)
        if not case.is_settled:
            yield case.finding("not final after everything was mended", case.standing)
        elif case.status is not Status.SENT and received and not self._may_be_unknown(case):
            yield case.finding("received, and the status denies it", case.standing)
        letter = self._letters.get(case.sent.request_id or "")
        if letter != (case.reason if case.status is Status.FAILED else None):
            yield case.finding("at odds with the dead letters", f"{case.standing}, {letter}")
        if (reports := case.sent_reports) > max(map(len, case.received), default=0):
            yield case.finding("reported as sent more often than received", f"{reports} reports")

    def _may_be_unknown(self, case: "_Case") -> bool:
        """Whether nobody but the provider could know that it arrived."""
        first = min(copy.at for copies in case.received for copy in copies) - self._started
        return case.reason is Reason.OUTCOME_UNKNOWN or answers_were_lost(
            case.sent.order.channel, first, self._occurrences
        )

    def _count_repeats(self, case: "_Case", copies: Sequence[Copy], account: Account) -> None:
        for first, second in pairwise(copies):
            evidence = Evidence(
                case.sent.order.channel,
                first.at - self._started,
                second.at - self._started,
                case.detail.timeline,
            )
            cause = cause_of(evidence, self._occurrences)
            account.repeated[cause] += 1
            account.unmarked += second.mark is None
            account.other_mark += second.mark != first.mark
            moments = f"received at {evidence.first:.2f} s and {evidence.second:.2f} s"
            account.repeats.append(case.finding(cause, moments))

    def _unknown(self, answered: set[str | None]) -> Iterator[Finding]:
        """Notifications that stand in the database, and that no client was told of."""
        for request_id, stands in self._statuses.items():
            if request_id not in answered:
                due = stands.created_at.timestamp() - self._started
                yield Finding("known to no client", request_id, stands.channel, due, stands.status)


class _Case:
    """One accepted notification: what stands, what came."""

    def __init__(
        self, sent: Sent, inbox: Inbox, statuses: Mapping[str, Notification], look: Look
    ) -> None:
        self.sent = sent
        self.received = [
            inbox.get((sent.order.serial, address), []) for address in sent.order.addresses
        ]
        self._stands = statuses.get(sent.request_id or "")
        self._look = look

    @property
    def status(self) -> Status | None:
        return self._stands.status if self._stands else None

    @property
    def reason(self) -> Reason | None:
        return self._stands.reason if self._stands else None

    @property
    def is_settled(self) -> bool:
        return self.status is not None and self.status.is_final

    @property
    def standing(self) -> str:
        """Its status and reason in words."""
        if self.status is None:
            return "not in the database"
        return f"{self.status} {self.reason}" if self.reason else str(self.status)

    @property
    def missing(self) -> bool:
        """Whether an address received nothing, without a failure of its own in the timeline."""
        without = [
            address
            for address, copies in zip(self.sent.order.addresses, self.received, strict=True)
            if not copies
        ]
        if not without or not any(self.received):
            return bool(without)
        failed = sum(e.status is Status.FAILED and bool(e.device) for e in self.detail.timeline)
        return len(without) > failed

    @property
    def is_unusual(self) -> bool:
        """Whether anything happened beside one attempt that arrived once."""
        stands = self._stands
        return not (
            stands is not None
            and stands.status is Status.SENT
            and stands.attempts == 1
            and all(len(copies) == 1 for copies in self.received)
        )

    @property
    def sent_reports(self) -> int:
        """How often one copy was reported as sent; looked up where anything unusual happened."""
        if not self.is_unusual or self.status is None:
            return 0
        sent = Counter(e.device for e in self.detail.timeline if e.status is Status.SENT)
        return max(sent.values(), default=0)

    @cached_property
    def detail(self) -> NotificationDetail:
        return self._look(self.sent.request_id or "")

    def finding(self, what: str, detail: str) -> Finding:
        sent = self.sent
        return Finding(what, sent.request_id or "", sent.order.channel, round(sent.due, 2), detail)
