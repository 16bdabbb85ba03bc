"""The sandbox's own API: looking at what was received."""

from __future__ import annotations

import json
import smtplib
import socket

import pytest

from .conftest import TWILIO_SID, TWILIO_TOKEN, Sandbox


@pytest.fixture
def filled(sandbox: Sandbox) -> Sandbox:
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as client:
        for n in range(3):
            client.sendmail("a@b.test", [f"User{n}@x.test"], f"Subject: {n}\r\n\r\n".encode())
    url = f"/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
    form = {"To": "+14155552671", "From": "+15005550006", "Body": "Hi"}
    sandbox.http.post(url, data=form, auth=(TWILIO_SID, TWILIO_TOKEN)).raise_for_status()
    return sandbox


def test_messages_come_newest_first(filled: Sandbox) -> None:
    shown = filled.get("/messages")
    assert [m["to"] for m in shown] == [
        "+14155552671",
        "User2@x.test",
        "User1@x.test",
        "User0@x.test",
    ]


def test_messages_are_filtered_by_channel_recipient_and_number(filled: Sandbox) -> None:
    assert len(filled.get("/messages", channel="email")) == 3
    assert len(filled.get("/messages", channel="push")) == 0
    assert [m["subject"] for m in filled.get("/messages", to="user1@x.test")] == ["1"]
    assert [m["subject"] for m in filled.get("/messages", channel="email", limit=1)] == ["2"]


@pytest.mark.parametrize("query", ["channel=fax", "limit=0", "limit=many", "colour=red"])
def test_a_question_that_makes_no_sense_is_422(sandbox: Sandbox, query: str) -> None:
    response = sandbox.http.get(f"/messages?{query}")
    assert response.status_code == 422
    assert response.json()["fields"][0]["path"] == query.split("=", maxsplit=1)[0]


def test_one_message_is_found_by_its_id(filled: Sandbox) -> None:
    newest = filled.get("/messages")[0]
    assert filled.get(f"/messages/{newest['id']}") == newest
    assert filled.http.get("/messages/unknown").status_code == 404


def test_all_messages_are_listed_by_their_heads_oldest_first(filled: Sandbox) -> None:
    lines = filled.http.get("/messages.ndjson").text.splitlines()
    heads = [json.loads(line) for line in lines]
    assert [head["id"] for head in heads] == [m["id"] for m in reversed(filled.get("/messages"))]
    assert heads[0].keys() == {"id", "channel", "to", "received_at", "mark"}


def test_stats_count_each_channel_and_clearing_begins_anew(filled: Sandbox) -> None:
    stats = filled.get("/stats")
    assert (stats["email"], stats["push"], stats["sms"]) == (3, 0, 1)
    filled.reset()
    assert filled.get("/stats")["email"] == 0
    assert filled.get("/messages") == []


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_probes_answer(sandbox: Sandbox, path: str) -> None:
    assert sandbox.get(path)["status"] == "ok"


def test_a_slow_provider_takes_its_time(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "sms", "kind": "slow", "latency_ms": 300})
    url = f"/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
    form = {"To": "+14155552671", "From": "+15005550006", "Body": "Hi"}
    response = sandbox.http.post(url, data=form, auth=(TWILIO_SID, TWILIO_TOKEN))
    assert response.status_code == 201
    assert response.elapsed.total_seconds() >= 0.3


def test_a_downed_channel_leaves_the_api_up(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "email", "kind": "down"}, {"channel": "sms", "kind": "down"})
    assert sandbox.get("/readyz")["status"] == "ok"
    address = ("127.0.0.1", sandbox.smtp_port)
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(address, timeout=5) as client,
    ):
        client.recv(100)
