"""`POST /notifications/batch`: both forms, what is refused, and what comes of the rest."""

import json
from itertools import count
from uuid import UUID, uuid4

import pytest

from shared.schemas.wire import NotificationMessage
from tests.api_gateway.gateway import request

users = count(700_000)

ROWS = "SELECT * FROM notifications WHERE batch_id = $1 ORDER BY batch_position"


def notification(**changes):
    return request(**{"user_id": next(users), **changes})


def content(**changes):
    return {"channel": "email", "template_id": "bells", **changes}


async def ask(client, body, key=None):
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    # Escaped, so that it may hold what is no text.
    return await client.post("/notifications/batch", content=json.dumps(body), headers=headers)


async def accepted(client, body, key=None):
    answer = await ask(client, body, key)
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]


async def test_many_notifications_each_with_a_content_of_its_own(client, database):
    items = [notification(variables={"n": n}, metadata={"of": n}) for n in range(3)]
    batch = await accepted(client, {"notifications": items})
    assert (batch["total"], batch["accepted"], batch["refused"]) == (3, 3, 0)
    rows = await database.fetch(ROWS, UUID(batch["batch_id"]))
    assert [str(row["id"]) for row in rows] == [one["request_id"] for one in batch["results"]]
    assert [row["user_id"] for row in rows] == [item["user_id"] for item in items]
    assert [one["user_id"] for one in batch["results"]] == [item["user_id"] for item in items]
    shown = (await client.get(f"/notifications/{rows[1]['id']}")).json()["data"]
    assert (shown["variables"], shown["metadata"]) == ({"n": 1}, {"of": 1})
    assert shown["batch_id"] == batch["batch_id"]


async def test_one_content_for_many_recipients(client, database):
    first, second = next(users), next(users)
    batch = await accepted(
        client,
        content(
            recipients=[first, {"user_id": second, "variables": {"name": "Ada"}}],
            variables={"name": "friend", "place": "here"},
            metadata={"campaign": 1},
            category="news",
            locale="de",
        ),
    )
    assert [one["user_id"] for one in batch["results"]] == [first, second]
    rows = await database.fetch(ROWS, UUID(batch["batch_id"]))
    for row, name in zip(rows, ("friend", "Ada"), strict=True):
        shown = (await client.get(f"/notifications/{row['id']}")).json()["data"]
        assert shown["variables"] == {"name": name, "place": "here"}
        assert (shown["category"], shown["priority"]) == ("news", "low")
        assert (row["locale"], shown["metadata"]) == ("de", {"campaign": 1})


async def test_items_take_the_bulk_lane_unless_they_ask_for_another(client, broker):
    items = [notification(), notification(priority="high"), notification(priority="normal")]
    batch = await accepted(client, {"notifications": items})
    lanes = ("email.bulk.queue", "email.priority.queue", "email.queue")
    for one, lane in zip(batch["results"], lanes, strict=True):
        message = await taken(broker, lane, one["request_id"])
        assert str(message.batch_id) == batch["batch_id"]


async def taken(broker, lane, request_id):
    while True:
        message = NotificationMessage.model_validate_json((await broker.take(lane)).body)
        if str(message.id) == request_id:
            return message


async def test_one_bad_among_a_thousand_refuses_only_itself(client, database):
    items = [notification() for _ in range(1000)]
    items[417]["channel"] = "pigeon"
    batch = await accepted(client, {"notifications": items})
    assert (batch["accepted"], batch["refused"]) == (999, 1)
    bad = batch["results"][417]
    assert (bad["request_id"], bad["user_id"]) == (None, items[417]["user_id"])
    assert bad["error"]["code"] == "validation_failed"
    assert bad["error"]["fields"][0]["path"] == "channel"
    rows = await database.fetch(ROWS, UUID(batch["batch_id"]))
    assert [row["batch_position"] for row in rows] == [n for n in range(1000) if n != 417]


BAD_ITEMS = {
    "no object": (5, "validation_failed"),
    "a field too much": (request(colour="red"), "validation_failed"),
    "a NUL": (request(variables={"name": "a\x00b"}), "validation_failed"),
    "a lone surrogate": (request(variables={"name": "\ud800"}), "validation_failed"),
    "no such template": (request(template_id="nobody"), "validation_failed"),
    "a variable is missing": (request(template_id="welcome_email"), "validation_failed"),
    "not of this channel": (request(channel="push"), "validation_failed"),
    "over": (request(expires_at="2001-01-01T00:00:00Z"), "validation_failed"),
    "too large": (request(variables={"text": "x" * 300_000}), "body_too_large"),
}


@pytest.mark.parametrize("name", BAD_ITEMS)
async def test_what_is_wrong_with_an_item_is_told_with_it(client, name):
    item, code = BAD_ITEMS[name]
    batch = await accepted(client, {"notifications": [notification(), item, notification()]})
    codes = [one["error"] and one["error"]["code"] for one in batch["results"]]
    assert codes == [None, code, None]


async def test_an_item_that_is_nested_too_deeply(client):
    deep = 1
    for _ in range(40):
        deep = [deep]
    items = [notification(), notification(variables={"a": deep})]
    batch = await accepted(client, {"notifications": items})
    assert "nested deeper" in batch["results"][1]["error"]["fields"][0]["problem"]


async def test_a_batch_in_which_all_are_refused_is_answered_with_results(client):
    batch = await accepted(client, {"notifications": [request(user_id=0), request(user_id="x")]})
    assert (batch["accepted"], batch["refused"]) == (0, 2)
    assert [one["user_id"] for one in batch["results"]] == [None, None]
    shown = (await client.get(f"/batches/{batch['batch_id']}")).json()["data"]
    assert (shown["state"], shown["refused_why"]) == ("finished", {"validation_failed": 2})


async def test_recipients_that_are_none_refuse_only_themselves(client):
    good = next(users)
    recipients = [good, 0, "x", {"user_id": next(users), "colour": "red"}, None]
    batch = await accepted(client, content(recipients=recipients))
    assert [one["error"] is None for one in batch["results"]] == [True, *[False] * 4]
    assert batch["results"][3]["error"]["fields"][0]["path"] == "colour"


BAD_BODIES = {
    "no items": ({"notifications": []}, "notifications"),
    "too many items": ({"notifications": [request()] * 1001}, "notifications"),
    "no list": ({"notifications": {}}, "notifications"),
    "both forms": (content(notifications=[request()], recipients=[1]), "body"),
    "neither form": (content(), "body"),
    "no object": ([request()], "body"),
    "no recipients": (content(recipients=[]), "recipients"),
    "too many recipients": (content(recipients=list(range(1, 10_002))), "recipients"),
    "recipients twice": (content(recipients=[1, 2, {"user_id": 1}]), "recipients"),
    "recipients twice, in two forms": (content(recipients=[1, "1"]), "recipients"),
    "a common field in a list": ({"notifications": [request()], "channel": "sms"}, "channel"),
    "a content that is none": (content(recipients=[1], channel="pigeon"), "channel"),
    "a content with a NUL": (content(recipients=[1], metadata={"a": "\x00"}), "metadata.a"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_what_is_no_batch_is_refused_as_a_whole(client, database, name):
    body, path = BAD_BODIES[name]
    batches = await database.fetchval("SELECT count(*) FROM batches")
    answer = await ask(client, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["fields"][0]["path"] == path
    assert await database.fetchval("SELECT count(*) FROM batches") == batches


@pytest.mark.parametrize("body", [b"", b"{", b'{"notifications": [NaN]}', b"\xff", b"\x00"])
async def test_what_is_no_json_is_malformed(client, body):
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/notifications/batch", content=body, headers=headers)
    assert answer.status_code == 400, answer.text


async def test_a_body_may_have_four_mebibytes_on_this_route_only(client):
    long = [notification(variables={"text": "x" * 200_000}) for _ in range(20)]
    assert (await accepted(client, {"notifications": long}))["accepted"] == 20
    answer = await ask(client, {"notifications": long * 2})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
    alone = await client.post("/notifications/send", json=request(variables={"t": "x" * 300_000}))
    assert alone.status_code == 413


async def test_a_content_that_would_grow_too_large_is_refused(client):
    large = content(recipients=list(range(1, 10_001)), variables={"text": "x" * 20_000})
    assert (await ask(client, large)).status_code == 413


async def test_the_rate_limit_holds_inside_a_batch(start):
    gateway = await start(RATE_LIMIT_PER_USER="2")
    async with gateway.client() as client:
        batch = await accepted(client, {"notifications": [request(user_id=1)] * 4})
        codes = [one["error"] and one["error"]["code"] for one in batch["results"]]
        assert sorted(codes, key=str) == [None, None, "rate_limited", "rate_limited"]
        single = await client.post("/notifications/send", json=request(user_id=1))
        assert single.status_code == 429


async def test_secrets_of_a_batch_are_secrets(client):
    item = notification(template_id="code", variables={"code": "4711-0815"})
    batch = await accepted(client, {"notifications": [item]})
    [one] = batch["results"]
    shown = (await client.get(f"/notifications/{one['request_id']}")).json()["data"]
    assert shown["variables"] == {"code": "***"}


async def test_the_scopes(gateway, make_key):
    batch_id = uuid4()
    calls = {
        "send": [("POST", "/notifications/batch"), ("POST", f"/batches/{batch_id}/cancel")],
        "read": [("GET", "/batches"), ("GET", f"/batches/{batch_id}")],
        "admin": [("POST", f"/batches/{batch_id}/retry-failed")],
    }
    for scope, allowed in calls.items():
        async with gateway.client((await make_key(scope))["key"]) as client:
            for method, path in (call for some in calls.values() for call in some):
                status = (await client.request(method, path)).status_code
                may = (method, path) in allowed or scope == "admin"
                assert (status == 403) != may, (scope, path, status)


async def test_a_test_key_makes_a_test_batch(gateway, make_key, database):
    async with gateway.client((await make_key("send", "read", mode="test"))["key"]) as client:
        batch = await accepted(client, {"notifications": [notification()]})
        assert (await client.get(f"/batches/{batch['batch_id']}")).json()["data"]["mode"] == "test"
    [row] = await database.fetch(ROWS, UUID(batch["batch_id"]))
    assert row["mode"] == "test"
