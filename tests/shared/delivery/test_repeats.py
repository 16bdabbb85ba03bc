"""Copies, deaths and lost connections: what is sent again, and what never."""

import asyncio

import pytest

from shared.cache import ProfileCache
from shared.delivery.licence import Licences
from shared.errors import (
    OutcomeUnknown,
)
from shared.messaging.addressed import (
    REASON_HEADER,
)
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Status
from tests.shared.broker import notification, until
from tests.shared.delivery.worker import Letters, Post


async def test_a_copy_is_told_of_again_and_not_sent_again(start, lane):
    worker = await start()
    message = notification()
    await lane.put(message)
    first = await lane.report()
    await lane.put(message)
    second = await lane.report()
    assert second.event_id == first.event_id
    assert second.provider_message_id == first.provider_message_id
    assert len(worker.post.sent) == 1


async def test_two_copies_at_once_make_one_send(start, lane):
    worker = await start()
    await start(post=worker.post)
    message = notification()
    await asyncio.gather(*(lane.put(message) for _ in range(6)))
    reports = [await lane.report() for _ in range(6)]
    assert {report.event_id for report in reports} == {reports[0].event_id}
    assert len(worker.post.sent) == 1


@pytest.fixture
async def half_sent(cache):
    """A message whose worker died between the provider's acceptance and its record."""
    await ProfileCache(cache).put_many([Profile(user_id=1, version=1, email="ada@example.com")])
    message = notification()
    dead = Licences(cache)
    await dead.apply(message, "", version=1, on_unknown="resend")
    return message


async def test_after_a_workers_death_a_marked_repeat_goes_out(start, lane, half_sent):
    worker = await start()
    await lane.put(half_sent)
    report = await lane.report()
    assert report.status is Status.SENT
    assert report.detail is not None
    assert "sent again" in report.detail
    assert worker.post.keys == [f"{half_sent.id}.1"]


async def test_after_a_workers_death_what_cannot_be_marked_is_held(start, lane, half_sent):
    worker = await start(channel=Letters(on_unknown="hold"))
    await lane.put(half_sent)
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "outcome_unknown"
    assert worker.post.sent == []


async def test_after_a_workers_death_a_message_that_must_not_be_repeated_is_held(
    start, lane, half_sent
):
    worker = await start()
    await lane.put(half_sent.model_copy(update={"on_unknown": "hold"}))
    assert (await lane.dead_letter()).headers[REASON_HEADER] == "outcome_unknown"
    assert worker.post.sent == []


async def test_an_unknown_outcome_spends_an_attempt(start, lane):
    await start(post=Post({"*": [OutcomeUnknown("silence")]}))
    await lane.put(notification())
    assert (await lane.report()).status is Status.RETRYING
    assert (await lane.report()).attempt == 2


@pytest.mark.parametrize("link", ["worker-consuming", "worker-publishing"])
async def test_a_connection_lost_while_sending_repeats_nothing(start, broker, lane, link):
    worker = await start()
    worker.post.may_go_on.clear()
    await lane.put(notification())
    await until(lambda: worker.post.began == 1)
    await broker.force_close(link)
    worker.post.may_go_on.set()
    assert (await lane.report()).status is Status.SENT
    await lane.put(notification())
    await until(lambda: len(worker.post.sent) == 2)
    assert worker.post.began == 2
