"""The FCM endpoints: a token for an assertion, and a message name for a message."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from carillon_stack.sandbox.faults import FaultKind
from carillon_stack.sandbox.fcm.oauth import GrantRefused, ServiceAccount, TokenEndpoint
from carillon_stack.sandbox.fcm.validation import Target, Violation, first_violation, target_of
from carillon_stack.sandbox.messages import Channel, Message
from carillon_stack.sandbox.reception import Reception, Refused

GONE = "dead-"
"""Tokens that begin so belong to an app that was uninstalled."""

# status, google.rpc code, FcmError code, message
ERRORS = {
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "UNREGISTERED": (404, "NOT_FOUND", "Requested entity was not found."),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for this device."),
    "UNAVAILABLE": (503, "UNAVAILABLE", "The service is currently unavailable."),
}
"""FCM's error codes with their HTTP status, `error.status` and `error.message`."""

REFUSALS = {
    FaultKind.REJECT_TRANSIENT: "QUOTA_EXCEEDED",
    FaultKind.THROTTLE: "QUOTA_EXCEEDED",
    FaultKind.UNAVAILABLE: "UNAVAILABLE",
}
"""Both 429s carry Retry-After: without it, FCM's senders wait a whole minute."""

DEVICE_RATE = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [
        {"subject": "device", "description": "The rate of messages to this device is too high."}
    ],
}


class FcmEmulator:
    """Firebase Cloud Messaging, HTTP v1, for one service account's project."""

    channel: Channel = "push"

    def __init__(self, reception: Reception, account: ServiceAccount) -> None:
        self._reception = reception
        self._project = account.project_id
        self._tokens = TokenEndpoint(account)

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/token", self._token, methods=["POST"]),
            Route("/v1/projects/{project}/messages:send", self._send, methods=["POST"]),
        ]

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def _token(self, request: Request) -> JSONResponse:
        self._reception.answer("push")
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        grant_type, assertion = (form.get(name, [""])[0] for name in ("grant_type", "assertion"))
        try:
            return JSONResponse(self._tokens.grant(grant_type, assertion))
        except GrantRefused as refused:
            body = {"error": refused.code, "error_description": refused.description}
            return JSONResponse(body, 400)

    async def _send(self, request: Request) -> JSONResponse:
        self._reception.answer("push")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._tokens.accepts(token):
            return self._turn_away(401, "UNAUTHENTICATED", "Invalid authentication credentials.")
        if request.path_params["project"] != self._project:
            return self._turn_away(403, "PERMISSION_DENIED", "Permission denied on this project.")
        try:
            body = json.loads(await request.body())
            json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate is no text
        except ValueError:
            return self._turn_away(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        if not isinstance(body, dict) or body.keys() - {"message", "validate_only"}:
            return self._turn_away(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        violation = first_violation(body.get("message"))
        if violation is not None:
            self._reception.reject("push")
            return _error("INVALID_ARGUMENT", violation)
        return await self._receive(body["message"], validate_only=bool(body.get("validate_only")))

    async def _receive(self, message: dict[str, Any], *, validate_only: bool) -> JSONResponse:
        target = target_of(message)
        if target.value.startswith(GONE):
            self._reception.reject("push")
            return _error("UNREGISTERED")
        if validate_only:
            return JSONResponse({"name": f"projects/{self._project}/messages/fake_message_id"})
        received = _received(target, message)
        try:
            await self._reception.receive(received)
        except Refused as refused:
            return _refusal(refused)
        return JSONResponse({"name": f"projects/{self._project}/messages/{received.id}"})

    def _turn_away(self, code: int, status: str, sentence: str) -> JSONResponse:
        self._reception.reject("push")
        return JSONResponse({"error": {"code": code, "message": sentence, "status": status}}, code)


def _received(target: Target, message: dict[str, Any]) -> Message:
    notification = message.get("notification", {})
    android = message.get("android", {})
    apns_headers = message.get("apns", {}).get("headers", {})
    collapse_key = android.get("collapse_key") or apns_headers.get("apns-collapse-id")
    content = {
        "target_kind": target.kind,
        "title": notification.get("title"),
        "body": notification.get("body"),
        "data": message.get("data", {}),
        "collapse_key": collapse_key,
        "message": message,
    }
    return Message("push", target.value, content, mark=collapse_key)


def _refusal(refused: Refused) -> JSONResponse:
    if refused.kind is FaultKind.REJECT_PERMANENT:
        return _error("INVALID_ARGUMENT", Violation("message.notification", "Refused on purpose."))
    return _error(REFUSALS[refused.kind], retry_after=refused.retry_after)


def _error(
    code: str, violation: Violation | None = None, retry_after: int | None = None
) -> JSONResponse:
    http_status, status, sentence = ERRORS[code]
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}
    ]
    if violation is not None:
        sentence = violation.description
        bad_request = "type.googleapis.com/google.rpc.BadRequest"
        details.append({"@type": bad_request, "fieldViolations": [violation._asdict()]})
    if code == "QUOTA_EXCEEDED":
        details.append(DEVICE_RATE)
    error = {"code": http_status, "message": sentence, "status": status, "details": details}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": error}, http_status, headers)
