"""From the results of all copies to what is to be published: reports, and what goes on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid5

from shared.delivery.outcome import Dead, Deferred, Outcome, Retry, Sent, Skipped
from shared.delivery.pipeline import Result
from shared.messaging.addressed import to_dead_letters, to_retry
from shared.messaging.outgoing import Outgoing
from shared.messaging.topology import retry_tier
from shared.schemas.vocabulary import Reason, Status
from shared.schemas.wire import NotificationMessage, OutcomeReport


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settler publishes: a hand-off (at most one), then the reports."""

    status: Status
    reason: Reason | None
    hand_off: Outgoing | None
    reports: list[OutcomeReport]


def plan(
    message: NotificationMessage, results: Sequence[Result], started_at: datetime, now: datetime
) -> Plan:
    """The plan for one message."""
    reports = []
    if len(results) > 1:
        reports = [
            _report(message, result.outcome, started_at, now, device=result.device, partial=True)
            for result in results
        ]
    outcome = aggregate(message, results)
    device = results[0].device if len(results) == 1 else ""
    overall = _report(message, outcome, started_at, now, device=device)
    if isinstance(outcome, Dead):
        # The gateway sets `failed` together with the dead letter, from the report inside it.
        letter = to_dead_letters(message.without_secrets(), overall)
        return Plan(overall.status, overall.reason, letter, reports)
    if not isinstance(outcome, Retry | Deferred):
        return Plan(overall.status, overall.reason, None, [*reports, overall])
    onward = _onward(message, results, outcome)
    tier = retry_tier(outcome.after) if isinstance(outcome, Retry) else None
    if tier is not None:
        return Plan(overall.status, None, to_retry(onward, tier), [*reports, overall])
    due = now + timedelta(seconds=outcome.after) if isinstance(outcome, Retry) else outcome.until
    waiting = overall.model_copy(update={"onward": onward, "due": due})
    return Plan(overall.status, None, None, [*reports, waiting])


def aggregate(message: NotificationMessage, results: Sequence[Result]) -> Outcome:
    """The one outcome of several copies.

    While a copy can still arrive, the notification goes on; else one that arrived suffices; else
    the first failure that says more than "this token is dead".
    """
    outcomes = [result.outcome for result in results]
    if len(outcomes) == 1 and not message.reached:
        return outcomes[0]
    retries = [o for o in outcomes if isinstance(o, Retry)]
    if retries:
        return max(retries, key=lambda o: o.after)
    deferred = [o for o in outcomes if isinstance(o, Deferred)]
    if deferred:
        return max(deferred, key=lambda o: o.until)
    sent = [o for o in outcomes if isinstance(o, Sent)]
    if sent or message.reached:
        return sent[0] if sent else Sent(detail="another device was reached before")
    dead = [o for o in outcomes if isinstance(o, Dead)]
    telling = [o for o in dead if o.reason is not Reason.TOKEN_INVALID]
    return (telling or dead or outcomes)[0]


def _onward(
    message: NotificationMessage, results: Sequence[Result], outcome: Retry | Deferred
) -> NotificationMessage:
    unfinished = tuple(
        result.device for result in results if isinstance(result.outcome, Retry | Deferred)
    )
    is_retry = isinstance(outcome, Retry)
    unrecorded = max(result.outcome.takes for result in results) - 1
    return message.next_hop(
        attempt=message.attempt + unrecorded + is_retry,
        waits=0 if is_retry else message.waits + 1,
        devices=unfinished if any(unfinished) else message.devices,
        reached=message.reached or any(isinstance(r.outcome, Sent) for r in results),
    )


def _report(
    message: NotificationMessage,
    outcome: Outcome,
    started_at: datetime,
    now: datetime,
    *,
    device: str = "",
    partial: bool = False,
) -> OutcomeReport:
    reason = outcome.reason if isinstance(outcome, Skipped | Dead) else None
    name = f"{message.generation}:{message.hop}:{device if partial else ''}:{outcome.takes}"
    return OutcomeReport(
        event_id=uuid5(message.id, name),
        notification_id=message.id,
        generation=message.generation,
        hop=message.hop,
        attempt=message.attempt + outcome.takes - 1,
        status=_status(outcome),
        reason=reason,
        provider=outcome.provider,
        provider_message_id=outcome.message_id if isinstance(outcome, Sent) else None,
        detail=outcome.detail,
        device=device or None,
        partial=partial,
        started_at=None if partial else started_at,
        at=now,
        sensitive=message.sensitive,
    )


def _status(outcome: Outcome) -> Status:
    if isinstance(outcome, Skipped | Dead):
        return outcome.reason.status
    return {"sent": Status.SENT, "retry": Status.RETRYING, "deferred": Status.DEFERRED}[
        outcome.kind
    ]
