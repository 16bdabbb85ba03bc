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


def refusal(step: str, code: int, text: str) -> ProviderError:
    """The failure behind a reply that is no success at this step."""
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
    return kind(f"{_sentence(kind, step)}: {code} {said}")


def _sentence(kind: type[ProviderError], step: str) -> str:
    if kind is not ProviderMisconfigured:
        return f"the mail server said at {step}"
    variables = "SMTP_FROM" if step == SENDER else "SMTP_USER and SMTP_PASSWORD"
    return f"the mail server refuses us, check {variables}"
