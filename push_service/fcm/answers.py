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
    "INTERNAL": ProviderUnavailable,
    "UNAVAILABLE": ProviderUnavailable,
    "THIRD_PARTY_AUTH_ERROR": ProviderMisconfigured,
    "UNAUTHENTICATED": ProviderMisconfigured,
    "PERMISSION_DENIED": ProviderMisconfigured,
}
"""By FCM's own error code, else by the status of Google's API. What is not here is permanent.

Every 429 is told apart by whose quota it is: a device's (an attempt) or the whole project's.
"""

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
    wait = retry_after(response)
    if response.status_code == 429:
        is_devices = code == "QUOTA_EXCEEDED" and not _names_project(details)
        kind = ProviderThrottled if is_devices else ProviderUnavailable
        return kind(said, retry_after=_QUOTA_WAIT_SECONDS if wait is None else wait)
    if response.is_server_error:
        return ProviderUnavailable(said, retry_after=wait)
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
    return any(v.get("field") == _TOKEN_FIELD for v in _violations(details, "fieldViolations"))


def _names_project(details: list[dict[str, Any]]) -> bool:
    """A google.rpc.QuotaFailure's subject says who has sent too much."""
    subjects = [v.get("subject") for v in _violations(details, "violations")]
    return any(str(subject).startswith("project") for subject in subjects)


def _violations(details: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = [v for detail in details for v in detail.get(name) or []]
    return [violation for violation in found if isinstance(violation, dict)]
