"""What Twilio's answers mean: the table is the documentation.

Source: https://www.twilio.com/docs/api/errors
"""

from typing import Any

import httpx

from shared.errors import (
    ContentRejected,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    RecipientRejected,
)
from shared.http.provider_client import retry_after

NO_RECIPIENT = 21604
"""The answer to a request that lacks only the recipient."""

FAILURES: dict[int, type[ProviderError]] = {
    21211: RecipientRejected,  # not a phone number
    21408: RecipientRejected,  # no permission for that region
    21610: RecipientRejected,  # replied STOP
    21612: RecipientRejected,  # no route
    21614: RecipientRejected,  # not a mobile number
    30004: RecipientRejected,  # blocked
    30005: RecipientRejected,  # unknown handset
    30006: RecipientRejected,  # landline
    21602: ContentRejected,  # empty
    21617: ContentRejected,  # too long
    30007: ContentRejected,  # filtered
    20003: ProviderMisconfigured,  # wrong SID or token
    20005: ProviderMisconfigured,  # account not active
    21212: ProviderMisconfigured,  # TWILIO_FROM: not a number
    21603: ProviderMisconfigured,  # TWILIO_FROM: missing
    21606: ProviderMisconfigured,  # TWILIO_FROM: not ours
    21703: ProviderMisconfigured,  # TWILIO_FROM: an empty Messaging Service
    30002: ProviderMisconfigured,  # account suspended
    20429: ProviderUnavailable,  # too many requests of the account at once
    63038: ProviderUnavailable,  # the account's messages of the day are used up
}
"""By Twilio's error code; what is not here is transient, bounded by the retry schedule."""

_OUR_FAULT = (401, 403)
_SHOWN_CHARACTERS = 300


def failure(response: httpx.Response) -> ProviderError:
    """The failure behind an answer that is no success; 5xx bodies may be HTML."""
    said = f"{code(response) or response.status_code}: {fields(response).get('message', '')}"
    said = said[:_SHOWN_CHARACTERS]
    wait = retry_after(response)
    if response.status_code == 429:
        return FAILURES.get(code(response), ProviderThrottled)(said, retry_after=wait)
    if response.is_server_error:
        return ProviderUnavailable(said, retry_after=wait)
    usual = ProviderMisconfigured if response.status_code in _OUR_FAULT else ProviderDeclined
    kind = FAILURES.get(code(response), usual)
    if kind is ProviderMisconfigured:
        said = f"Twilio refuses us, check the TWILIO_ variables: {said}"
    return kind(said)


def code(response: httpx.Response) -> int:
    """Twilio's error code; 0 where there is none."""
    value = fields(response).get("code")
    return value if isinstance(value, int) else 0


def fields(response: httpx.Response) -> dict[str, Any]:
    """The answer's object; empty where it is none."""
    try:
        read = response.json()
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
