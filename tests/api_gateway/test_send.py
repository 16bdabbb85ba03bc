"""Sending: what a caller is answered, what is stored, which lane it takes."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from tests.api_gateway.gateway import request
from tests.shared.broker import until

users = count(1000)


async def test_the_documented_request_is_answered_as_documented(client):
    body = {
        "user_id": 1,
        "channel": "email",
        "template_id": "welcome_email",
        "variables": {"name": "John Doe", "action_url": "https://example.com/verify"},
        "priority": "high",
    }
    answer = await client.post(
        "/notifications/send", json=body, headers={"X-Correlation-ID": "order-7"}
    )
    assert answer.status_code == 202
    told = answer.json()
    data = told.pop("data")
    assert told == {
        "success": True,
        "error": None,
        "message": "Notification queued successfully for email",
        "meta": None,
    }
    UUID(data.pop("request_id"))
    assert data.pop("remaining_requests") < 100
    assert data == {"status": "queued", "channel": "email", "correlation_id": "order-7"}
    assert answer.headers["X-Correlation-ID"] == "order-7"
    assert answer.headers["RateLimit-Policy"] == '"default";q=100;w=60'
    assert answer.headers["RateLimit"].startswith('"default";r=')


async def test_a_correlation_id_is_made_where_none_or_a_bad_one_is_given(client):
    for headers in ({}, {"X-Correlation-ID": "two words"}, {"X-Correlation-ID": "x" * 129}):
        answer = await client.post("/notifications/send", json=request(), headers=headers)
        made = answer.headers["X-Correlation-ID"]
        UUID(made)
        assert answer.json()["data"]["correlation_id"] == made


async def test_what_is_accepted_is_kept_and_shown(client):
    now = datetime.now(UTC)
    body = request(
        user_id=next(users),
        variables={"name": "Zoë 🔔", "nested": {"list": [1, 2.5, None, True, 10**30]}},
        metadata={"order": 7},
        category="orders",
        locale="pt-BR",
        expires_at=(now + timedelta(hours=2)).isoformat(),
    )
    accepted = (await client.post("/notifications/send", json=body)).json()["data"]
    answer = await client.get(f"/notifications/{accepted['request_id']}")
    assert answer.status_code == 200
    shown = answer.json()["data"]
    for name in ("user_id", "channel", "template_id", "variables", "metadata", "category"):
        assert shown[name] == body[name]
    assert (shown["priority"], shown["status"], shown["attempts"]) == ("normal", "queued", 0)
    assert shown["template_version"] == 1
    assert datetime.fromisoformat(shown["expires_at"]) == now + timedelta(hours=2)
    assert [entry["status"] for entry in shown["timeline"]] == ["queued"]


async def test_without_an_end_it_lives_for_a_day(client):
    accepted = (await client.post("/notifications/send", json=request())).json()["data"]
    shown = (await client.get(f"/notifications/{accepted['request_id']}")).json()["data"]
    moments = [datetime.fromisoformat(shown[name]) for name in ("created_at", "expires_at")]
    assert moments[1] - moments[0] == timedelta(hours=24)


@pytest.mark.parametrize(
    ("channel", "priority", "queue"),
    [
        ("email", "critical", "email.priority.queue"),
        ("email", "high", "email.priority.queue"),
        ("email", "normal", "email.queue"),
        ("email", "low", "email.bulk.queue"),
        ("push", "high", "push.priority.queue"),
        ("push", "low", "push.bulk.queue"),
    ],
)
async def test_the_priority_chooses_the_lane(client, broker, channel, priority, queue):
    template = "bells" if channel == "email" else "ping"
    body = request(channel=channel, template_id=template, priority=priority, user_id=next(users))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    accepted = await client.post("/notifications/send", json=body, headers={"traceparent": trace})
    request_id = accepted.json()["data"]["request_id"]
    while (message := await broker.take(queue)).headers["notification-id"] != request_id:
        """Another test's."""
    wire = json.loads(message.body)
    assert (wire["id"], wire["priority"], wire["mode"]) == (request_id, priority, "live")
    assert (wire["generation"], wire["hop"], wire["attempt"]) == (1, 1, 1)
    assert message.headers["correlation-id"] == accepted.headers["X-Correlation-ID"]
    assert message.headers["traceparent"] == trace
    assert message.delivery_mode == 2
    assert message.message_id != request_id


async def test_a_test_keys_notifications_are_marked(gateway, make_key, broker, database):
    key = await make_key("send", mode="test")
    body = request(channel="push", template_id="ping", user_id=next(users))
    async with gateway.client(key["key"]) as tester:
        accepted = (await tester.post("/notifications/send", json=body)).json()["data"]
    while True:
        message = await broker.take("push.queue")
        if message.headers["notification-id"] == accepted["request_id"]:
            break
    assert json.loads(message.body)["mode"] == "test"
    row = await database.fetchrow(
        "SELECT mode, api_key_id FROM notifications WHERE id = $1", UUID(accepted["request_id"])
    )
    assert tuple(row) == ("test", key["id"])


async def test_what_was_published_leaves_the_outbox(client, database):
    accepted = (await client.post("/notifications/send", json=request())).json()["data"]

    async def gone():
        query = "SELECT count(*) FROM outbox WHERE notification_id = $1"
        return await database.fetchval(query, UUID(accepted["request_id"])) == 0

    await until(gone)
