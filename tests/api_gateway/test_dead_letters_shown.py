"""Dead letters as operators see them: pages, groups, one with its message; and bad questions."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest


async def test_one_shows_everything(office):
    message = await office.accepted(variables={"name": "Ada"}, metadata={"order": 7})
    letter_id = await office.fail(message, reason="recipient_rejected", detail="550 no such user")
    shown = await office.get(f"/dead-letters/{letter_id}")
    assert shown["request_id"] == str(message.id)
    assert (shown["reason"], shown["last_error"]) == ("recipient_rejected", "550 no such user")
    assert shown["meaning"] == "The provider refuses this recipient for good."
    assert (shown["attempts"], shown["generation"], shown["state"]) == (4, 1, "open")
    assert (shown["user_id"], shown["channel"]) == (message.user_id, "email")
    assert shown["message"] == message.model_dump(mode="json")
    assert shown["body_base64"] is None
    assert shown["resolved_at"] is None


@pytest.mark.parametrize("noise", [b"\xff\x00 noise", b'{"id": NaN}', b"[" * 2000, b""])
async def test_an_unreadable_one_shows_its_bytes(office, noise):
    ident = uuid4().hex
    await office.publish(noise, message_id=ident)
    [row] = await office.kept("amqp_message_id = $1", ident)
    shown = await office.get(f"/dead-letters/{row['id']}")
    assert base64.b64decode(shown["body_base64"]) == noise
    assert (shown["message"], shown["request_id"]) == (None, None)
    assert (shown["body_bytes"], shown["reason"]) == (len(noise), "unreadable_message")


async def test_of_a_large_one_the_beginning_is_shown(office):
    ident = uuid4().hex
    await office.publish(b"x" * (2**20 + 7), message_id=ident)
    [row] = await office.kept("amqp_message_id = $1", ident)
    shown = await office.get(f"/dead-letters/{row['id']}")
    assert base64.b64decode(shown["body_base64"]) == b"x" * 2**20
    assert shown["body_bytes"] == 2**20 + 7


async def test_pages_hold_what_fits_the_filter_each_once(office):
    """Invariant: pages are the whole list, newest first, whatever the filter."""
    template = "bells_1"
    ids = await office.failed(7, template)
    others = await office.failed(3, template, provider="other", reason="content_rejected")
    everything = sorted(ids + others, reverse=True)
    for wanted, expected in (
        ({}, everything),
        ({"provider": "other"}, sorted(others, reverse=True)),
        ({"reason": "retries_exhausted"}, sorted(ids, reverse=True)),
        ({"channel": "email"}, everything),
        ({"channel": "sms"}, []),
        ({"state": "redriven"}, []),
    ):
        for limit in (1, 3, 100):
            found = await pages(office, limit, template_id=template, **wanted)
            assert [one["id"] for one in found] == expected, (wanted, limit)


async def pages(office, limit, **params):
    found, cursor = [], None
    while True:
        given = {**params, "limit": limit, **({"cursor": cursor} if cursor else {})}
        body = (await office.client.get("/dead-letters", params=given)).json()
        assert len(body["data"]) <= limit
        found += body["data"]
        cursor = body["meta"]["next_cursor"]
        if cursor is None:
            return found


async def test_filters_by_user_and_time(office):
    message = await office.accepted()
    letter_id = await office.fail(message)
    [row] = await office.kept("id = $1", letter_id)
    at = row["created_at"]
    later = at + timedelta(microseconds=1)
    for wanted, is_in in (
        ({"since": at}, True),
        ({"since": later}, False),
        ({"until": later}, True),
        ({"until": at}, False),
        ({"since": at.astimezone(UTC), "until": later}, True),
    ):
        told = {name: moment.isoformat() for name, moment in wanted.items()}
        found = await office.get("/dead-letters", user_id=message.user_id, **told)
        assert [one["id"] for one in found] == ([letter_id] if is_in else []), wanted


async def test_groups_count_everything_and_say_how_many_there_are(office):
    template = "bells_2"
    await office.failed(3, template)
    await office.failed(2, template, reason="content_rejected", provider="other")
    for group_by, expected in (
        ("reason", {"retries_exhausted": 3, "content_rejected": 2}),
        ("provider", {"smtp": 3, "other": 2}),
        ("channel", {"email": 5}),
        ("template", {template: 5}),
    ):
        wanted = {"template_id": template, "group_by": group_by}
        body = (await office.client.get("/dead-letters", params=wanted)).json()
        assert {one["value"]: one["count"] for one in body["data"]} == expected
        assert [one["count"] for one in body["data"]] == sorted(expected.values(), reverse=True)
        assert body["meta"]["total"] == 5
    wanted |= {"group_by": "day"}
    days = await office.get("/dead-letters", **wanted)
    assert sum(one["count"] for one in days) == 5
    assert {one["value"] for one in days} <= {
        f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}" for ago in (0, 1)
    }
    wanted |= {"group_by": "reason", "limit": 1}
    body = (await office.client.get("/dead-letters", params=wanted)).json()
    [largest] = body["data"]
    assert (largest["value"], largest["count"]) == ("retries_exhausted", 3)
    assert largest["meaning"] == "The provider declined on every attempt."
    assert (body["meta"]["total"], body["meta"]["groups"]) == (5, 2)
    assert await office.get("/dead-letters", template_id="none", group_by="day") == []


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"reason": "bad_luck"}, "reason"),
        ({"channel": "fax"}, "channel"),
        ({"state": "closed"}, "state"),
        ({"group_by": "colour"}, "group_by"),
        ({"user_id": "0"}, "user_id"),
        ({"user_id": str(2**63)}, "user_id"),
        ({"template_id": "no slug"}, "template_id"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "MQ", "group_by": "day"}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
    ],
)
async def test_a_wrong_question_names_its_field(office, wanted, path):
    answer = await office.client.get("/dead-letters", params=wanted)
    assert answer.status_code == 422, answer.text
    assert [field["path"] for field in answer.json()["error"]["fields"]] == [path]


async def test_what_does_not_exist_is_404(office):
    for method, path in (
        ("GET", "/dead-letters/999999999"),
        ("POST", "/dead-letters/999999999/redrive"),
        ("POST", "/dead-letters/999999999/discard"),
        ("GET", "/dead-letters/jobs/999999999"),
        ("POST", "/dead-letters/jobs/999999999/cancel"),
    ):
        answer = await office.client.request(method, path)
        assert answer.status_code == 404, answer.text


async def test_looking_needs_read_and_acting_needs_admin(office, make_key, gateway):
    letter_id = await office.fail(await office.accepted())
    reader, sender = await make_key("read"), await make_key("send")
    body = {"filter": {"template_id": "none"}, "dry_run": True}
    async with gateway.client(reader["key"]) as client:
        for path in ("", f"/{letter_id}", "/jobs"):
            assert (await client.get(f"/dead-letters{path}")).status_code == 200
        for path in (f"/{letter_id}/redrive", f"/{letter_id}/discard", "/redrive", "/discard"):
            refused = await client.post(f"/dead-letters{path}", json=body)
            assert refused.status_code == 403, path
    async with gateway.client(sender["key"]) as client:
        assert (await client.get("/dead-letters")).status_code == 403
