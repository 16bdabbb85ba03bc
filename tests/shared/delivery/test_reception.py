"""Bodies that are no message of ours, or not yet."""

from shared.messaging.addressed import (
    REASON_HEADER,
)
from shared.schemas.vocabulary import Status
from tests.shared.broker import notification
from tests.shared.delivery.worker import Letters, Post, Worker


async def test_noise_goes_to_the_dead_letters_byte_for_byte(start, broker, lane):
    await start()
    for noise in (b"{", b"\xff" * 1_000_000):
        await broker.put("email", noise)
        dead = await lane.dead_letter()
        assert dead.body == noise
        assert dead.headers[REASON_HEADER] == "unreadable_message"
    await lane.put(notification())
    assert (await lane.report()).status is Status.SENT


async def test_a_newer_contract_version_goes_back_to_the_queue(settings, broker, lane):
    worker = Worker(Letters(), Post(), settings())
    async with worker.running():
        await lane.put(notification(version=99))
        await lane.put(notification())
        assert (await lane.report()).status is Status.SENT, "it holds nobody up"
    assert worker.post.began == 1
    assert await lane.waiting() == 1
    assert await broker.count("failed.queue") == 0
