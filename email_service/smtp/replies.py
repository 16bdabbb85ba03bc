"""What a server's refusal means (RFC 5321 4.2, RFC 3463): the table is the documentation."""

import re
from typing import NamedTuple

from shared.errors import (
    ContentRejected,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    RecipientRejected,
)

GOING_AWAY = 421

_SHOWN_CHARACTERS = 300


class Rule(NamedTuple):
    """A reply at one of the `steps` whose code and enhanced status match means `failure`."""

    steps: str
    code: str
    enhanced: str
    failure: type[ProviderError]


CONNECT, LOGIN, SENDER, RECIPIENT, DATA = "connect", "login", "sender", "recipient", "data"
_MESSAGE = f"{SENDER} {RECIPIENT} {DATA}"
_ALL = f"{CONNECT} {LOGIN} {_MESSAGE}"

REFUSALS = (
    Rule(_ALL, "421", "", ProviderUnavailable),
    Rule(_MESSAGE, "454", "", ProviderUnavailable),  # SES: the account's rate or quota
    Rule(_MESSAGE, "[45]..", r"[45]\.4\.5", ProviderUnavailable),  # Gmail: the account's quota
    Rule(_ALL, "53[0458]", "", ProviderMisconfigured),
    Rule(CONNECT, "...", "", ProviderUnavailable),
    Rule(LOGIN, "5..", "", ProviderMisconfigured),
    Rule(LOGIN, "...", "", ProviderUnavailable),
    Rule(_MESSAGE, "45[012]", r"4\.7\.\d+", ProviderThrottled),
    Rule(_MESSAGE, "4..", "", ProviderDeclined),
    Rule(RECIPIENT, "5..", "", RecipientRejected),
    Rule(DATA, "5..", r"5\.[12]\.\d+", RecipientRejected),
    Rule(DATA, "5..", "", ContentRejected),
    Rule(SENDER, "552", "", ContentRejected),
    Rule(SENDER, "5..", r"5\.(2\.3|3\.4|6\.\d+)", ContentRejected),
    Rule(SENDER, "5..", "", ProviderMisconfigured),
    Rule(_ALL, "...", "", ProviderUnavailable),
)
"""The first rule that matches counts."""

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_WAIT = re.compile(
    r"\b(?:in|for|after|wait)\s+(?:(?P<clock>\d{1,2}:\d\d:\d\d)"
    r"|(?P<count>\d{1,5})\s*(?P<unit>[smh])(?:ecs?|econds?|ins?|inutes?|rs?|ours?)?)\b",
    re.IGNORECASE,
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def refusal(step: str, code: int, text: str, prefix: str = "SMTP") -> ProviderError:
    """The failure behind a reply that is no success at this step.

    `prefix` is that of the account's variables.
    """
    found = _ENHANCED.match(text)
    enhanced = found[1] if found else ""
    kind = next(
        rule.failure
        for rule in REFUSALS
        if step in rule.steps.split()
        and re.fullmatch(rule.code, f"{code:03d}")
        and (not rule.enhanced or re.fullmatch(rule.enhanced, enhanced))
    )
    said = " ".join(text.split())[:_SHOWN_CHARACTERS]
    wait = asked_wait(text) if code // 100 == 4 else None
    return kind(f"{_sentence(kind, step, prefix)}: {code} {said}", retry_after=wait)


def asked_wait(text: str) -> float | None:
    """Seconds that a server asks us to wait; SMTP has no field for that, so it stands in prose.

    Greylisting servers say `try again in 300 seconds`, `for 5 minutes` or `in 00:05:00`.
    """
    found = _WAIT.search(text)
    if found is None:
        return None
    if found["clock"]:
        hours, minutes, seconds = map(int, found["clock"].split(":"))
        return float(hours * 3600 + minutes * 60 + seconds)
    return float(int(found["count"]) * _SECONDS[found["unit"].lower()])


def _sentence(kind: type[ProviderError], step: str, prefix: str) -> str:
    if kind is not ProviderMisconfigured:
        return f"the mail server said at {step}"
    names = ["FROM"] if step == SENDER else ["USER", "PASSWORD"]
    return f"the mail server refuses us, check {' and '.join(f'{prefix}_{n}' for n in names)}"
