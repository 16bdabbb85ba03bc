"""Bodies that are no message of ours, or not yet."""

import json

from shared.errors import ContentRejected
from shared.messaging import addressed
from shared.messaging.addressed import REASON_HEADER
from shared.schemas.vocabulary import Status
from tests.shared.broker import notification
from tests.shared.delivery.worker import Post


def altered(**changes) -> bytes:
    """A good message with other values, which no schema checked."""
    return json.dumps(json.loads(notification().model_dump_json()) | changes).encode()


def without(field: str) -> bytes:
    kept = json.loads(notification().model_dump_json())
    del kept[field]
    return json.dumps(kept).encode()


NOISE = {
    "empty": b"",
    "wrong JSON": b"{",
    "another JSON": b'["a", 1, null]',
    "a megabyte": b"\xff" * 1_000_000,
    "nested": b"[" * 100_000,
    "no UTF-8": b'{"version": 1, "id": "\xff\xfe"}',
    "NUL": b"\x00" * 10,
    "no fields": b"{}",
    "no id": without("id"),
    "no expiry": without("expires_at"),
    "wrong types": altered(user_id=[1], variables="none"),
    "hop below the first": altered(hop=-1),
    "version below the first": altered(version=-1),
    "huge hop": altered(hop=2**40),
    "huge user": altered(user_id=10**30),
    "huge attempt": altered(attempt=10**30),
    "negative user": altered(user_id=-1),
    "strange template": altered(template_id="a\x00b"),
    "strange locale": altered(locale="\x00"),
    "time without a zone": altered(expires_at="2026-11-25T12:00:00"),
    "line break in a header": altered(correlation_id="a\r\nX: y"),
    "unknown channel": altered(channel="pigeon"),
    "lone surrogate": altered(category="x").replace(b'"x"', b'"\\ud800"'),
}


async def test_noise_goes_to_the_dead_letters_byte_for_byte(start, broker, lane):
    worker = await start()
    for body in NOISE.values():
        await broker.put("email", body)
    await lane.put(notification())
    found = {}
    for _ in NOISE:
        dead = await lane.dead_letter()
        assert dead.headers[REASON_HEADER] == "unreadable_message"
        assert dead.headers["found-in"] == "email.queue"
        found[dead.body] = dead
    assert set(found) == set(NOISE.values())
    assert (await lane.report()).status is Status.SENT
    assert worker.post.began == 1
    assert await lane.waiting() == 0


async def test_a_newer_contract_version_waits_for_a_process_that_knows_it(
    start, broker, lane, monkeypatch
):
    monkeypatch.setattr(addressed, "RETRY_TIERS_MS", ((2000,),))
    worker = await start()
    newer = notification(version=99)
    await lane.put(newer)
    await lane.put(notification())
    assert (await lane.report()).status is Status.SENT, "it holds nobody up"
    assert worker.post.began == 1
    assert await broker.count("failed.queue") == 0
    monkeypatch.setattr(addressed, "WIRE_VERSION", 99)
    report = await lane.report()
    assert report.notification_id == newer.id
    assert report.status is Status.SENT


async def test_what_a_provider_says_in_strange_letters_breaks_nobody(start, lane):
    strange = ContentRejected("no: \ud800 \x00 " + "x" * 5000)
    worker = await start(post=Post({"ada@example.com": [strange]}))
    await lane.put(notification())
    await lane.put(notification())
    assert (await lane.report()).status is Status.SENT
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "content_rejected"
    assert worker.post.began == 2
