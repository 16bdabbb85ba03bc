"""The Twilio emulator, as the `twilio` package meets it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from .conftest import TWILIO_SID, TWILIO_TOKEN, Sandbox

TO, FROM = "+14155552671", "+15005550006"


class ToSandbox(TwilioHttpClient):
    """Twilio's own client, sent to another host."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._sandbox = url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        elsewhere = url.replace("https://api.twilio.com", self._sandbox)
        return super().request(method, elsewhere, *args, **kwargs)


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(TWILIO_SID, TWILIO_TOKEN, http_client=ToSandbox(sandbox.url))


def post(sandbox: Sandbox, **form: str) -> httpx.Response:
    url = f"/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
    return sandbox.http.post(url, data=form, auth=(TWILIO_SID, TWILIO_TOKEN))


def test_a_message_from_twilios_client_is_shown(sandbox: Sandbox, client: Client) -> None:
    sent = client.messages.create(to=TO, from_=FROM, body="Your code is 123456 ☃")
    (shown,) = sandbox.get("/messages", channel="sms", to=TO)
    assert (sent.status, sent.sid, sent.num_segments) == ("queued", f"SM{shown['id']}", "1")
    assert (shown["from"], shown["text"]) == (FROM, "Your code is 123456 ☃")


def test_a_messaging_service_may_be_the_sender(client: Client) -> None:
    sent = client.messages.create(to=TO, messaging_service_sid="MG" + "0" * 32, body="Hi")
    assert sent.status == "accepted"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"From": FROM, "Body": "Hi"}, 21604),
        ({"To": "0171 555", "From": FROM, "Body": "Hi"}, 21211),
        ({"To": "+1415555\u0662\u0666\u0667\u0661", "From": FROM, "Body": "Hi"}, 21211),
        ({"To": TO, "Body": "Hi"}, 21603),
        ({"To": TO, "From": "a sender far too long", "Body": "Hi"}, 21212),
        ({"To": TO, "From": FROM}, 21602),
        ({"To": TO, "From": FROM, "Body": ""}, 21602),
        ({"To": TO, "From": FROM, "Body": "x" * 1601}, 21617),
        ({"To": "+15005550001", "From": FROM, "Body": "Hi"}, 21211),
        ({"To": "+15005550004", "From": FROM, "Body": "Hi"}, 21610),
        ({"To": "+15005550009", "From": FROM, "Body": "Hi"}, 21614),
    ],
)
def test_what_twilio_refuses_is_refused_with_its_code(
    sandbox: Sandbox, form: dict[str, str], code: int
) -> None:
    response = post(sandbox, **form)
    body = response.json()
    assert (response.status_code, body["status"], body["code"]) == (400, 400, code)
    assert body["more_info"].endswith(f"/errors/{code}")
    assert sandbox.get("/messages") == []


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("reject_permanent", 400, 30007),
        ("reject_transient", 429, 14107),
        ("throttle", 429, 14107),
        ("unavailable", 503, 20503),
    ],
)
def test_refusals_raise_what_twilios_client_raises(
    sandbox: Sandbox, client: Client, kind: str, status: int, code: int
) -> None:
    sandbox.faults({"channel": "sms", "kind": kind})
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=TO, from_=FROM, body="Hi")
    assert (refused.value.status, refused.value.code) == (status, code)


def test_a_throttled_sender_is_told_how_long_to_wait(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "sms", "kind": "throttle", "retry_after_seconds": 7})
    assert post(sandbox, To=TO, From=FROM, Body="Hi").headers["retry-after"] == "7"


@pytest.mark.parametrize("kind", ["down", "disconnect", "disconnect_after_accept"])
def test_a_cut_connection_has_no_answer(sandbox: Sandbox, kind: str) -> None:
    sandbox.faults({"channel": "sms", "kind": kind})
    with pytest.raises(httpx.TransportError):
        post(sandbox, To=TO, From=FROM, Body="Hi")
    assert sandbox.get("/stats")["sms"] == (1 if kind == "disconnect_after_accept" else 0)


@pytest.mark.parametrize(
    ("account", "login"),
    [
        (TWILIO_SID, (TWILIO_SID, "wrong")),
        (TWILIO_SID, ("AC1", TWILIO_TOKEN)),
        ("AC1", (TWILIO_SID, TWILIO_TOKEN)),
    ],
)
def test_only_the_accounts_own_login_counts(
    sandbox: Sandbox, account: str, login: tuple[str, str]
) -> None:
    url = f"/2010-04-01/Accounts/{account}/Messages.json"
    response = sandbox.http.post(url, data={"To": TO, "From": FROM, "Body": "Hi"}, auth=login)
    assert (response.status_code, response.json()["code"]) == (401, 20003)
