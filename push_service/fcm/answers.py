"""What FCM's refusals mean: the table is the documentation.

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
"""

from typing import Any

import httpx

from shared.errors import (
    ContentRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    TokenInvalid,
)
from shared.http.provider_client import retry_after

FAILURES: dict[str, type[ProviderError]] = {
    "UNREGISTERED": TokenInvalid,
    "SENDER_ID_MISMATCH": TokenInvalid,
    "INVALID_ARGUMENT": ContentRejected,
    "QUOTA_EXCEEDED": ProviderThrottled,
    "RESOURCE_EXHAUSTED": ProviderThrottled,
    "INTERNAL": ProviderUnavailable,
    "UNAVAILABLE": ProviderUnavailable,
    "THIRD_PARTY_AUTH_ERROR": ProviderMisconfigured,
    "UNAUTHENTICATED": ProviderMisconfigured,
    "PERMISSION_DENIED": ProviderMisconfigured,
}
"""By FCM's own error code, else by the status of Google's API. What is not here is permanent."""

_FCM_ERROR = "fcm.v1.FcmError"
_TOKEN_FIELD = "message.token"  # noqa: S105 - a field's path
_QUOTA_WAIT_SECONDS = 60.0
_SHOWN_CHARACTERS = 300


def failure(response: httpx.Response) -> ProviderError:
    """The failure behind an answer that is no success; 5xx bodies may be HTML."""
    error = _error(response)
    details = [detail for detail in error.get("details") or [] if isinstance(detail, dict)]
    code = _code(error, details)
    said = f"{code or response.status_code}: {error.get('message', '')}"[:_SHOWN_CHARACTERS]
    if code == "INVALID_ARGUMENT" and _names_token(details):
        return TokenInvalid(said)
    if response.status_code == 429:
        wait = retry_after(response)
        return ProviderThrottled(said, retry_after=_QUOTA_WAIT_SECONDS if wait is None else wait)
    if response.is_server_error:
        return ProviderUnavailable(said)
    return FAILURES.get(code, ContentRejected)(said)


def _error(response: httpx.Response) -> dict[str, Any]:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _code(error: dict[str, Any], details: list[dict[str, Any]]) -> str:
    for detail in details:
        if str(detail.get("@type", "")).endswith(_FCM_ERROR):
            return str(detail.get("errorCode", ""))
    return str(error.get("status", ""))


def _names_token(details: list[dict[str, Any]]) -> bool:
    violations = [v for detail in details for v in detail.get("fieldViolations") or []]
    return any(isinstance(v, dict) and v.get("field") == _TOKEN_FIELD for v in violations)
