"""What is done for many messages together fails for those alone whose data is wrong."""

import asyncio

import pytest

from shared.delivery import settler
from shared.messaging.addressed import REASON_HEADER
from shared.schemas.vocabulary import Status
from tests.shared.broker import notification
from tests.shared.delivery.neighbours import BELLS


async def test_a_text_that_cannot_be_compiled_fails_its_own_messages(start, lane, neighbours):
    broken = {"subject": "x", "body_text": "{{ name"}
    neighbours.contents["broken"] = BELLS.model_copy(
        update={"template_id": "broken", "fields": broken}
    )
    await start()
    await asyncio.gather(
        *(lane.put(notification(template_id=name)) for name in ("broken", "bells", "broken"))
    )
    assert (await lane.report()).status is Status.SENT
    for _ in range(2):
        assert (await lane.dead_letter()).headers[REASON_HEADER] == "render_error"


async def test_an_unknown_user_fails_its_own_messages(start, lane):
    await start()
    await asyncio.gather(*(lane.put(notification(user_id=n)) for n in (2**62, 1, 404)))
    assert (await lane.report()).status is Status.SENT
    for _ in range(2):
        assert (await lane.dead_letter()).headers[REASON_HEADER] == "user_not_found"


@pytest.mark.parametrize("bug", ["plan", "_count"])
async def test_a_bug_in_one_settlement_neither_stops_the_others_nor_sends_again(
    start, lane, monkeypatch, bug
):
    strange, others = notification(), [notification() for _ in range(3)]
    original = getattr(settler, bug)

    def buggy(message, *rest):
        if message.id == strange.id and buggy.times:
            buggy.times -= 1
            raise KeyError("a bug, made on purpose")
        return original(message, *rest)

    buggy.times = 1
    monkeypatch.setattr(settler, bug, buggy)
    worker = await start()
    await asyncio.gather(*(lane.put(message) for message in (strange, *others)))
    told = {(await lane.report()).notification_id for _ in range(4)}
    assert told == {strange.id, *(message.id for message in others)}
    assert len(worker.post.sent) == 4
