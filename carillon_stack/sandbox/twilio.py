"""Twilio's Messages API (2010-04-01): one text message out, its resource back."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from secrets import compare_digest
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from carillon_stack.sandbox.faults import FaultKind
from carillon_stack.sandbox.messages import Channel, Message
from carillon_stack.sandbox.reception import Reception, Refused

API = "/2010-04-01/Accounts/{account}"
MAX_BODY = 1600
E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}", re.ASCII)


class Problem(NamedTuple):
    """One of Twilio's errors: HTTP status, code and sentence."""

    status: int
    code: int
    message: str


AUTHENTICATE = Problem(401, 20003, "Authenticate")
NO_RECIPIENT = Problem(400, 21604, "A 'To' phone number is required.")
NO_SENDER = Problem(400, 21603, "A 'From' phone number is required.")
NO_BODY = Problem(400, 21602, "Message body is required.")
LONG_BODY = Problem(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
BAD_RECIPIENT = Problem(400, 21211, "Invalid 'To' Phone Number: {to}")
BAD_SENDER = Problem(400, 21212, "Invalid 'From' Phone Number: {sender}")

MAGIC_NUMBERS = {
    "+15005550001": BAD_RECIPIENT,
    "+15005550002": Problem(400, 21612, "Twilio cannot route to this number: {to}"),
    "+15005550003": Problem(400, 21408, "No international permission for this number: {to}"),
    "+15005550004": Problem(400, 21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": Problem(400, 21614, "'To' number is not a valid mobile number: {to}"),
}
"""Recipients that Twilio itself refuses with test credentials."""

REFUSALS = {
    FaultKind.REJECT_PERMANENT: Problem(400, 30007, "Message filtered"),
    FaultKind.REJECT_TRANSIENT: Problem(429, 14107, "SMS send rate limit exceeded"),
    FaultKind.THROTTLE: Problem(429, 14107, "SMS send rate limit exceeded"),
    FaultKind.UNAVAILABLE: Problem(503, 20503, "Service Unavailable"),
}
WAITS = {FaultKind.THROTTLE, FaultKind.UNAVAILABLE}
"""The refusals that carry Retry-After."""


class TwilioEmulator:
    """Twilio's Messages API for one account."""

    channel: Channel = "sms"

    def __init__(self, reception: Reception, account: str, token: str) -> None:
        self._reception = reception
        self._account = account
        self._credentials = f"{account}:{token}".encode()

    def routes(self) -> Sequence[BaseRoute]:
        return [Route(f"{API}/Messages.json", self._send, methods=["POST"])]

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def _send(self, request: Request) -> JSONResponse:
        self._reception.answer("sms")
        if not self._may(request):
            return self._turn_away(AUTHENTICATE)
        form = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        to, body = (form.get(name, [""])[0] for name in ("To", "Body"))
        service = form.get("MessagingServiceSid", [None])[0]
        sender = form.get("From", [None])[0]
        problem = _problem(to, sender or service, body)
        if problem is not None:
            return self._turn_away(problem, to=to, sender=sender)
        content = {"from": sender or service, "text": body}
        message = Message("sms", to, content)
        content["sid"] = f"SM{message.id}"
        try:
            await self._reception.receive(message)
        except Refused as refused:
            wait = refused.retry_after if refused.kind in WAITS else None
            return _error(REFUSALS[refused.kind], wait)
        return JSONResponse(_resource(message, self._account, sender, service), 201)

    def _may(self, request: Request) -> bool:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        return (
            scheme.lower() == "basic"
            and request.path_params["account"] == self._account
            and compare_digest(given, self._credentials)
        )

    def _turn_away(self, problem: Problem, **words: str | None) -> JSONResponse:
        self._reception.reject("sms")
        return _error(problem._replace(message=problem.message.format(**words)))


def _problem(to: str, sender: str | None, body: str) -> Problem | None:
    known_sender = sender is not None and (SENDER.fullmatch(sender) or sender.startswith("MG"))
    checks = (
        (not to, NO_RECIPIENT),
        (not sender, NO_SENDER),
        (not body, NO_BODY),
        (len(body) > MAX_BODY, LONG_BODY),
        (not E164.fullmatch(to), BAD_RECIPIENT),
        (not known_sender, BAD_SENDER),
    )
    return next((problem for failed, problem in checks if failed), MAGIC_NUMBERS.get(to))


def _error(problem: Problem, retry_after: int | None = None) -> JSONResponse:
    body = {
        "code": problem.code,
        "message": problem.message,
        "more_info": f"https://www.twilio.com/docs/errors/{problem.code}",
        "status": problem.status,
    }
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(body, problem.status, headers)


def _resource(
    message: Message, account: str, sender: str | None, service: str | None
) -> dict[str, Any]:
    now = format_datetime(datetime.now(UTC))
    uri = f"{API.format(account=account)}/Messages/{message.content['sid']}"
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": message.content["text"],
        "date_created": now,
        "date_sent": None,
        "date_updated": now,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": sender,
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": "0" if service else str(_segments(message.content["text"])),
        "price": None,
        "price_unit": "USD",
        "sid": message.content["sid"],
        "status": "accepted" if service else "queued",
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def _segments(text: str) -> int:
    """How many messages a phone network makes of a text: 160 or 153 GSM-7, 70 or 67 UCS-2."""
    units, single, each = (
        (len(text), 160, 153) if text.isascii() else (len(text.encode("utf-16-le")) // 2, 70, 67)
    )
    return 1 if units <= single else -(-units // each)
