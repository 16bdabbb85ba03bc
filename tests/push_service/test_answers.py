import httpx
import pytest

from push_service.fcm.answers import failure
from shared.errors import (
    ContentRejected,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    TokenInvalid,
)


def answer(
    status: int,
    code: str = "",
    *,
    google: str = "",
    field: str = "",
    subject: str = "",
    **headers: str,
):
    details = []
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details.append({"@type": kind, "errorCode": code})
    if field:
        kind = "type.googleapis.com/google.rpc.BadRequest"
        details.append({"@type": kind, "fieldViolations": [{"field": field}]})
    if subject:
        kind = "type.googleapis.com/google.rpc.QuotaFailure"
        details.append({"@type": kind, "violations": [{"subject": subject}]})
    error = {"code": status, "status": google, "message": "said", "details": details}
    return httpx.Response(status, json={"error": error}, headers=headers)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(404, "UNREGISTERED", google="NOT_FOUND"), TokenInvalid),
        (answer(403, "SENDER_ID_MISMATCH", google="PERMISSION_DENIED"), TokenInvalid),
        (answer(400, "INVALID_ARGUMENT", field="message.token"), TokenInvalid),
        (answer(400, "INVALID_ARGUMENT", field="message.data"), ContentRejected),
        (answer(401, "THIRD_PARTY_AUTH_ERROR"), ProviderMisconfigured),
        (answer(401, google="UNAUTHENTICATED"), ProviderMisconfigured),
        (answer(403, google="PERMISSION_DENIED"), ProviderMisconfigured),
        (answer(429, "QUOTA_EXCEEDED"), ProviderThrottled),
        (answer(429, "QUOTA_EXCEEDED", subject="device"), ProviderThrottled),
        (answer(429, "QUOTA_EXCEEDED", subject="project:bells"), ProviderUnavailable),
        (answer(429, google="RESOURCE_EXHAUSTED"), ProviderUnavailable),
        (answer(500, "INTERNAL"), ProviderUnavailable),
        (answer(503, "UNAVAILABLE"), ProviderUnavailable),
        (httpx.Response(502, html="<h1>Bad Gateway</h1>"), ProviderUnavailable),
        (httpx.Response(413, text="too large"), ContentRejected),
        (httpx.Response(400, json=["odd"]), ContentRejected),
        (httpx.Response(400, json={"error": {"details": "odd"}}), ContentRejected),
    ],
)
def test_an_answer_means(response, expected):
    assert type(failure(response)) is expected


def test_a_quota_says_how_long_to_wait_or_it_is_a_minute():
    assert failure(answer(429, "QUOTA_EXCEEDED", **{"retry-after": "7"})).retry_after == 7
    assert failure(answer(429, "QUOTA_EXCEEDED")).retry_after == 60
    assert failure(answer(429, google="RESOURCE_EXHAUSTED")).retry_after == 60
    assert failure(answer(503, "UNAVAILABLE", **{"retry-after": "9"})).retry_after == 9
