"""Bad input is refused with the path of each field; none of it makes a 500."""

import json
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.api_gateway.gateway import ADMIN_KEY, request

LATER = datetime.now(UTC) + timedelta(days=1)

WRONG_FIELDS = [
    ({"user_id": 0}, "user_id"),
    ({"user_id": 2**63}, "user_id"),
    ({"user_id": "one"}, "user_id"),
    ({"user_id": None}, "user_id"),
    ({"channel": "pigeon"}, "channel"),
    ({"priority": "urgent"}, "priority"),
    ({"template_id": ""}, "template_id"),
    ({"template_id": "x" * 101}, "template_id"),
    ({"template_id": "bells\n"}, "template_id"),
    ({"template_id": "a b"}, "template_id"),
    ({"category": "two\nlines"}, "category"),
    ({"category": "x" * 101}, "category"),
    ({"locale": "en\r\nBcc: b@example.com"}, "locale"),
    ({"locale": "english please"}, "locale"),
    ({"variables": []}, "variables"),
    ({"variables": None}, "variables"),
    ({"metadata": "text"}, "metadata"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"expires_at": LATER.replace(tzinfo=None).isoformat()}, "expires_at"),
    ({"expires_at": (LATER + timedelta(days=60)).isoformat()}, "expires_at"),
    ({"expires_at": "soon"}, "expires_at"),
    ({"request_id": ""}, "request_id"),
    ({"request_id": "k" * 256}, "request_id"),
    ({"request_id": "two\nlines"}, "request_id"),
    ({"request_id": "schlüssel"}, "request_id"),
    ({"request_id": 17}, "request_id"),
    ({"surprise": 1}, "surprise"),
    ({"variables": {"a": "\x00"}}, "variables.a"),
    ({"variables": {"a": [{"b": "x\ud800y"}]}}, "variables.a.0.b"),
    ({"metadata": {"\x00": 1}}, "metadata"),
    ({"metadata": {"deep": {"\udfff": 1}}}, "metadata.deep"),
    ({"template_id": "x\x00"}, "template_id"),
]

NO_JSON = [
    b"{",
    b"nonsense",
    b'{"user_id": 1,}',
    b'{"variables": {"a": NaN}}',
    b'{"variables": {"a": -Infinity}}',
    b'{"variables": {"a": "\x00"}}',
    b'{"variables": {"a": "\xed\xa0\x80"}}',
    b'{"variables": {"a": "\xff"}}',
    json.dumps(request(variables={"a": "\x00"})).encode("utf-16"),
    json.dumps(request(variables={"a": "\ud800"})).encode("utf-32-be"),
    json.dumps(request()).encode("utf-16-le"),
    b'{"user_id": ' + b"1" * 5000 + b"}",
]

HUGE_NUMBERS = ["1e999", "-1E+400", "1" + "0" * 400 + ".5", "1" + "0" * 300 + "e50", "1e0309"]

TEMPLATE_OBJECTIONS = [
    ({"template_id": "nobody"}, "template_id", "there is no template 'nobody'"),
    ({"template_id": "retired"}, "template_id", "the template 'retired' is deactivated"),
    ({"template_id": "ping"}, "template_id", "the template 'ping' is for push, not here"),
    ({"template_id": "welcome_email"}, "variables.name", "is missing"),
]

HEADER_BREAKERS = ["a\r\nBcc: b@example.com", "tab\there", "\x7f", "\u2028", ["fine", "\n"]]

WRONG_ADDRESSES = {
    "/notifications?cursor=%21": "cursor",
    "/notifications?cursor=AAAA": "cursor",
    "/notifications?limit=0": "limit",
    "/notifications?limit=101": "limit",
    "/notifications?status=lost": "status",
    "/notifications?channel=pigeon": "channel",
    "/notifications?user_id=-1": "user_id",
    "/notifications?user_id=1%00": "query",
    "/notifications?cursor=%ED%A0%80": "query",
    "/notifications/%00": "path",
    "/notifications/%ED%A0%80": "path",
    "/notifications/%FF": "path",
    "/notifications/not-an-id": "request_id",
    "/users/x/notifications": "user_id",
    "/api-keys?cursor=MA": "cursor",
    "/api-keys?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5": "cursor",
}

JSON = {"content-type": "application/json"}


def paths(answer):
    """The fields that an answer names."""
    assert answer.json()["success"] is False
    return [field["path"] for field in answer.json()["error"]["fields"]]


async def test_a_wrong_field_is_named(client):
    for change, path in WRONG_FIELDS:
        body = json.dumps(request(**change))
        answer = await client.post("/notifications/send", content=body, headers=JSON)
        assert (answer.status_code, paths(answer)) == (422, [path]), answer.text


async def test_all_wrong_fields_are_named_at_once(client):
    answer = await client.post("/notifications/send", json={"channel": "pigeon", "extra": 1})
    assert answer.status_code == 422
    assert set(paths(answer)) == {"user_id", "channel", "template_id", "extra"}


async def test_what_is_no_json_is_malformed(client):
    for body in NO_JSON:
        answer = await client.post("/notifications/send", content=body, headers=JSON)
        assert answer.status_code == 400, (body[:40], answer.text)
        assert answer.json()["error"]["code"] == "malformed_request"


async def test_a_number_beyond_a_double_is_refused_wherever_it_is(client):
    for number in HUGE_NUMBERS:
        body = json.dumps(request(variables={"a": [0]})).replace("[0]", f"[1, {number}]")
        answer = await client.post("/notifications/send", content=body, headers=JSON)
        assert (answer.status_code, paths(answer)) == (422, ["variables.a.1"]), number[:20]


async def test_nesting_that_nobody_means_is_refused(client):
    for depth in (40, 5000, 100_000):
        nested = "[" * depth + "]" * depth
        body = json.dumps(request(variables={"a": 0})).replace(": 0", f": {nested}")
        answer = await client.post("/notifications/send", content=body, headers=JSON)
        assert answer.status_code == 422
        assert "nested" in answer.json()["error"]["fields"][0]["problem"]


async def test_a_body_of_another_type_is_refused(client):
    body = json.dumps(request())
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        headers = {"content-type": kind}
        answer = await client.post("/notifications/send", content=body, headers=headers)
        assert answer.status_code == 422
    assert (await client.post("/notifications/send")).status_code == 422


async def test_a_body_over_the_limit_is_refused_however_it_comes(client):
    body = json.dumps(request(metadata={"text": "x" * 256 * 1024})).encode()

    async def chunks():
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    for content in (body, chunks()):
        answer = await client.post("/notifications/send", content=content, headers=JSON)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"
    small = json.dumps(request(metadata={"text": "x" * 250 * 1024}))
    answer = await client.post("/notifications/send", content=small, headers=JSON)
    assert answer.status_code == 202


async def test_a_template_that_does_not_serve_is_named(client):
    for change, path, problem in TEMPLATE_OBJECTIONS:
        answer = await client.post("/notifications/send", json=request(**change))
        assert answer.status_code == 422
        assert answer.json()["error"]["fields"] == [{"path": path, "problem": problem}]


async def test_what_would_break_a_header_is_refused(client):
    for value in HEADER_BREAKERS:
        body = request(template_id="welcome_email", variables={"name": value, "other": "\n"})
        answer = await client.post("/notifications/send", json=body)
        assert (answer.status_code, paths(answer)) == (422, ["variables.name"])
    body = request(template_id="welcome_email", variables={"name": "Zoë", "text": "two\nlines"})
    assert (await client.post("/notifications/send", json=body)).status_code == 202


async def test_a_wrong_address_is_named(client):
    for address, path in WRONG_ADDRESSES.items():
        answer = await client.get(address)
        assert (answer.status_code, paths(answer)) == (422, [path]), (address, answer.text)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_does_not_exist_is_not_found(client, method):
    addresses = {
        "GET": [f"/notifications/{uuid4()}", "/nothing", "/notifications/send/x"],
        "PUT": ["/nothing"],
        "DELETE": ["/api-keys/999999999"],
    }
    for address in addresses[method]:
        answer = await client.request(method, address)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


async def test_another_method_is_not_allowed(client):
    answer = await client.put("/notifications/send", json={})
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


async def test_idempotency_keys_that_are_none(client):
    for key in ("", '""', "x" * 256, "ß", "a\tb"):
        headers = {"Idempotency-Key": key.encode("latin-1")}
        answer = await client.post("/notifications/send", json=request(), headers=headers)
        assert (answer.status_code, paths(answer)) == (422, ["Idempotency-Key"])


async def test_many_faults_make_no_large_answer(client):
    body = json.dumps(request(variables={"a": ["\x00"] * 20_000}))
    answer = await client.post("/notifications/send", content=body, headers=JSON)
    assert answer.status_code == 422
    assert len(answer.content) < 50_000
    answer = await client.post("/notifications/send", json={str(n): n for n in range(20_000)})
    assert answer.status_code == 422
    assert len(answer.content) < 50_000


def test_a_caller_who_leaves_in_the_middle_changes_nothing(gateway):
    address = urlsplit(gateway.url)
    head = (
        f"POST /notifications/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + b'{"user_id"')
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert "Traceback" not in gateway.log()
