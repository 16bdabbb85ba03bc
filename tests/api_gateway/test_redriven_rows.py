"""What a redrive leaves in the tables, without a gateway around it."""

import pytest

from api_gateway import in_flight
from api_gateway.dead_letters.redrive import Edit, redrive
from shared.schemas.recipient import Recipient
from shared.schemas.wire import NotificationMessage
from tests.api_gateway.ledgers import add_dead_letter, migrated

EDITS = [
    Edit(),
    Edit(variables={"name": "Grace"}),
    Edit(recipient=Recipient(email="elsewhere@example.com")),
]


@pytest.mark.parametrize("edit", EDITS, ids=str)
async def test_a_lost_message_is_made_anew_as_it_was_redriven(postgres_url, edit):
    async with migrated(postgres_url) as database:
        failed = await add_dead_letter(database)
        async with database.driver() as connection:
            letter_id = await connection.fetchval("SELECT id FROM dead_letters")
            async with connection.transaction():
                [told] = await redrive(connection, [letter_id], edit)
            row = await connection.fetchrow("SELECT * FROM notifications WHERE id = $1", failed.id)
            events = await connection.fetch(in_flight.EVENTS, [failed.id])
            boxed = await connection.fetchval("SELECT body FROM outbox")
    assert isinstance(told, NotificationMessage)
    assert NotificationMessage.model_validate_json(boxed) == told
    assert in_flight.messages([row], events) == {failed.id: told}
