"""Noise in the queues of the gateway: it holds up nothing that can be read."""

import pytest

from tests.api_gateway.office import office_of, outcome
from tests.shared.broker import until

MORE_THAN_ARE_TAKEN_AT_ONCE = 120
NEWER = b'{"version": 99, "what": "ever"}'


@pytest.fixture
async def own_office(start, own_environment):
    gateway = await start()
    async with office_of(gateway, own_environment) as office:
        yield office


async def test_many_outcomes_of_a_newer_version_hold_up_no_others(own_office):
    office = own_office
    message = await office.accepted()
    for _ in range(MORE_THAN_ARE_TAKEN_AT_ONCE):
        await office.broker.put("outcome", NEWER, exchange="notifications.status")
    await office.report(outcome(message, status="sent", reason=None))

    async def is_sent() -> bool:
        return (await office.get(f"/notifications/{message.id}"))["status"] == "sent"

    await until(is_sent)


async def test_many_dead_letters_of_a_newer_version_hold_up_no_others(own_office):
    office = own_office
    message = await office.accepted()
    for _ in range(MORE_THAN_ARE_TAKEN_AT_ONCE):
        await office.publish(NEWER)
    assert await office.fail(message)


async def test_a_message_id_that_cannot_be_stored_keeps_no_dead_letter_out(office):
    await office.publish(b"noise", message_id="nothing\x00")
    await office.kept("amqp_message_id = $1", "nothing\ufffd")
