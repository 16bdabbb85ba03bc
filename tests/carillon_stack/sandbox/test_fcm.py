"""The FCM emulator, as `firebase-admin` and `google-auth` meet it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import firebase_admin
import httpx
import pytest
from firebase_admin import credentials, exceptions, messaging
from google.auth import jwt
from google.auth.crypt import RSASigner
from google.auth.transport.requests import Request
from google.oauth2 import service_account as google_service_account
from urllib3.util import Retry

from .conftest import PROJECT, Sandbox, service_account

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
# firebase-admin would rather have `fid`; senders in the field still use tokens.
pytestmark = pytest.mark.filterwarnings("ignore:Message.token is deprecated:DeprecationWarning")

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


@pytest.fixture
def firebase(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[firebase_admin.App]:
    url = f"{sandbox.url}/v1/projects/{{0}}/messages:send"
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", url)
    monkeypatch.setattr(Retry, "sleep", lambda *_: None)
    # google-auth would ask Google about the account's regions, in a thread of its own.
    lookup = "_maybe_start_regional_access_boundary_refresh"
    monkeypatch.setattr(google_service_account.Credentials, lookup, lambda *_: None)
    app = firebase_admin.initialize_app(credentials.Certificate(str(sandbox.credentials)))
    yield app
    firebase_admin.delete_app(app)


@pytest.fixture
def bearer(sandbox: Sandbox) -> dict[str, str]:
    account = google_service_account.Credentials.from_service_account_file(
        str(sandbox.credentials), scopes=[SCOPE]
    )
    account.refresh(Request())
    return {"Authorization": f"Bearer {account.token}"}


def send(sandbox: Sandbox, bearer: dict[str, str], message: Any) -> httpx.Response:
    url = f"/v1/projects/{PROJECT}/messages:send"
    return sandbox.http.post(url, json={"message": message}, headers=bearer)


def test_a_message_from_firebase_admin_is_shown(
    sandbox: Sandbox, firebase: firebase_admin.App
) -> None:
    message = messaging.Message(
        token="device-1",
        notification=messaging.Notification(title="Hello", body="You have mail"),
        data={"order": "42"},
        android=messaging.AndroidConfig(collapse_key="order-42", priority="high", ttl=3600),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": "order-42"}),
    )
    name = messaging.send(message, app=firebase)
    (shown,) = sandbox.get("/messages", channel="push", to="device-1")
    assert name == f"projects/{PROJECT}/messages/{shown['id']}"
    assert (shown["target_kind"], shown["title"], shown["body"]) == (
        "token",
        "Hello",
        "You have mail",
    )
    assert (shown["data"], shown["collapse_key"]) == ({"order": "42"}, "order-42")
    assert shown["message"]["android"]["ttl"] == "3600s"


def test_a_dry_run_keeps_nothing(sandbox: Sandbox, firebase: firebase_admin.App) -> None:
    assert messaging.send(messaging.Message(topic="news"), dry_run=True, app=firebase)
    assert sandbox.get("/messages") == []


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("dead-1", messaging.UnregisteredError),
        ("invalid-1", exceptions.InvalidArgumentError),
    ],
)
def test_bad_tokens_raise_what_firebase_raises(
    firebase: firebase_admin.App, token: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        messaging.send(messaging.Message(token=token), app=firebase)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reject_permanent", exceptions.InvalidArgumentError),
        ("reject_transient", messaging.QuotaExceededError),
        ("throttle", messaging.QuotaExceededError),
    ],
)
def test_refusals_raise_what_firebase_raises(
    sandbox: Sandbox, firebase: firebase_admin.App, kind: str, error: type[Exception]
) -> None:
    sandbox.faults({"channel": "push", "kind": kind, "retry_after_seconds": 0})
    with pytest.raises(error):
        messaging.send(messaging.Message(token="device-1"), app=firebase)
    assert sandbox.get("/stats")["rejected"]["push"].keys() == {kind}


def test_firebase_admin_gets_through_a_short_outage(
    sandbox: Sandbox, firebase: firebase_admin.App
) -> None:
    fault = {"channel": "push", "kind": "unavailable", "first": 1, "retry_after_seconds": 0}
    sandbox.faults(fault)
    messaging.send(messaging.Message(token="device-1"), app=firebase)
    assert sandbox.get("/stats")["push"] == 1


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (None, "message"),
        ({}, "message"),
        ({"token": "a", "topic": "b"}, "message"),
        ({"token": 5}, "message.token"),
        ({"token": ""}, "message.token"),
        ({"token": "invalid-1"}, "message.token"),
        ({"topic": "no spaces"}, "message.topic"),
        ({"token": "a", "colour": "red"}, "message"),
        ({"token": "a", "notification": {"subtitle": "x"}}, "message.notification"),
        ({"token": "a", "notification": []}, "message.notification"),
        ({"token": "a", "data": {"n": 5}}, "message.data[0].value"),
        ({"token": "a", "data": {"from": "x"}}, "message.data"),
        ({"token": "a", "data": {"google.x": "x"}}, "message.data"),
        ({"token": "a", "data": {"gcmx": "x"}}, "message.data"),
        ({"token": "a", "data": {"k": "x" * 4096}}, "message"),
        ({"topic": "a", "data": {"k": "x" * 2048}}, "message"),
        ({"token": "a", "android": {"ttl": "one hour"}}, "message.android.ttl"),
        ({"token": "a", "android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"token": "a", "android": {"priority": "urgent"}}, "message.android.priority"),
    ],
)
def test_a_message_fcm_would_refuse_is_refused_with_its_field(
    sandbox: Sandbox, bearer: dict[str, str], message: Any, field: str
) -> None:
    response = send(sandbox, bearer, message)
    error = response.json()["error"]
    fcm_error, bad_request = error["details"]
    assert (response.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert fcm_error == {"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"}
    assert [violation["field"] for violation in bad_request["fieldViolations"]] == [field]


@pytest.mark.parametrize("size", [4095, 4096])
def test_the_size_limit_counts_bytes(sandbox: Sandbox, bearer: dict[str, str], size: int) -> None:
    fits = send(sandbox, bearer, {"token": "a", "data": {"": "x" * size}})
    over = send(sandbox, bearer, {"token": "a", "data": {"k": "ü" * 2048}})
    assert (fits.status_code, over.status_code) == (200, 400)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"message": {"token": "\\ud800"}}', b"\xff"])
def test_a_body_that_is_no_message_is_refused(
    sandbox: Sandbox, bearer: dict[str, str], body: bytes
) -> None:
    url = f"/v1/projects/{PROJECT}/messages:send"
    assert sandbox.http.post(url, content=body, headers=bearer).status_code == 400


def test_an_unregistered_token_has_googles_error_body(
    sandbox: Sandbox, bearer: dict[str, str]
) -> None:
    response = send(sandbox, bearer, {"token": "dead-1"})
    assert response.status_code == 404
    assert response.json()["error"]["status"] == "NOT_FOUND"
    assert response.json()["error"]["details"][0]["errorCode"] == "UNREGISTERED"


def test_a_permanent_refusal_does_not_blame_the_token(
    sandbox: Sandbox, bearer: dict[str, str]
) -> None:
    sandbox.faults({"channel": "push", "kind": "reject_permanent"})
    response = send(sandbox, bearer, {"token": "device-1"})
    assert response.status_code == 400
    assert "token" not in response.text


def test_a_throttled_sender_is_told_how_long_to_wait(
    sandbox: Sandbox, bearer: dict[str, str]
) -> None:
    sandbox.faults({"channel": "push", "kind": "throttle", "retry_after_seconds": 7})
    response = send(sandbox, bearer, {"token": "device-1"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("kind", ["down", "disconnect", "disconnect_after_accept"])
def test_a_cut_connection_has_no_answer(
    sandbox: Sandbox, bearer: dict[str, str], kind: str
) -> None:
    sandbox.faults({"channel": "push", "kind": kind})
    with pytest.raises(httpx.TransportError):
        send(sandbox, bearer, {"token": "device-1"})
    assert sandbox.get("/stats")["push"] == (1 if kind == "disconnect_after_accept" else 0)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer ya29.forged"}])
def test_without_a_token_given_here_there_is_no_sending(
    sandbox: Sandbox, header: dict[str, str]
) -> None:
    assert send(sandbox, header, {"token": "device-1"}).status_code == 401


def test_another_project_is_not_ours(sandbox: Sandbox, bearer: dict[str, str]) -> None:
    url = "/v1/projects/another/messages:send"
    response = sandbox.http.post(url, json={"message": {"token": "device-1"}}, headers=bearer)
    assert response.status_code == 403


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"iss": "someone@else.test"}, "invalid_grant"),
        ({"aud": "https://elsewhere.test/token"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
        ({"key": "another"}, "invalid_grant"),
    ],
)
def test_a_bad_assertion_earns_no_token(
    sandbox: Sandbox, change: dict[str, Any], error: str
) -> None:
    account = json.loads(sandbox.credentials.read_text())
    claims = google_claims(account, **change)
    if change.get("key"):
        account = service_account(account["token_uri"])
    assertion = jwt.encode(RSASigner.from_service_account_info(account), claims)
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": assertion.decode(),
    }
    response = sandbox.http.post("/token", data=form)
    assert (response.status_code, response.json()["error"]) == (400, error)


@pytest.mark.parametrize("assertion", ["", "a.b.c", "x", "e30.e30.AAAA"])
def test_an_assertion_that_is_none_earns_no_token(sandbox: Sandbox, assertion: str) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": assertion,
    }
    assert sandbox.http.post("/token", data=form).status_code == 400


def google_claims(account: dict[str, str], **change: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
        "scope": SCOPE,
    }
    return claims | change
