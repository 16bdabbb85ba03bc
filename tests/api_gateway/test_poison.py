"""Outcomes that cannot be read or stored, in one message with others that can."""

import json
from uuid import uuid4

import pytest

from shared.messaging.addressed import to_status
from tests.api_gateway.office import outcome
from tests.shared.broker import until

POISON = {
    "a hop that no table holds": {"hop": 2**40},
    "a number that nothing holds": {"attempt": 10**30},
    "no number": {"generation": "first"},
    "no id": {"notification_id": None},
    "an unknown status": {"status": "posted"},
    "a time without a zone": {"at": "2026-11-25T12:00:00"},
    "a message that goes on to nowhere": {"onward": {"id": 7}},
    "a due time for nothing": {"due": "soon"},
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_an_outcome_that_cannot_be_kept_is_set_aside_alone(office, poison):
    before, after = await office.accepted(), await office.accepted()
    spoilt = json.loads(outcome(before).model_dump_json()) | poison
    batch = json.loads(
        to_status(
            [outcome(message, status="sent", reason=None) for message in (before, after)]
        ).body
    )
    batch["reports"].insert(1, spoilt | {"detail": (mark := uuid4().hex)})
    await office.broker.put("outcome", json.dumps(batch).encode(), exchange="notifications.status")
    [kept] = await office.kept("position($1 in body) > 0", mark.encode())
    assert kept["reason"] == "unreadable_message"
    assert json.loads(kept["body"])["reports"] == [spoilt | {"detail": mark}]

    async def are_sent() -> bool:
        shown = [await office.client.get(f"/notifications/{m.id}") for m in (before, after)]
        return {answer.json()["data"]["status"] for answer in shown} == {"sent"}

    await until(are_sent)
