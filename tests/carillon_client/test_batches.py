"""Batches from a Python program, against a running suite."""

from uuid import uuid4

import pytest

from carillon_client import Carillon
from shared.schemas.batches import BatchState
from shared.schemas.users import User
from shared.schemas.vocabulary import Status
from tests.processes import wait_until


def test_a_batch_is_sent_and_followed(carillon: Carillon, user: User, template: str) -> None:
    batch = carillon.send_batch(
        recipients=[{"user_id": user.id, "variables": {"name": "Ada"}}],
        channel="email",
        template_id=template,
    )
    assert (batch.accepted, batch.refused) == (1, 0)

    def finished() -> bool:
        return carillon.batches.get(batch.batch_id).state is BatchState.FINISHED

    wait_until(finished)
    assert carillon.batches.get(batch.batch_id).statuses == {Status.SENT: 1}
    [one] = carillon.notifications(batch_id=batch.batch_id)
    assert one.request_id == batch.results[0].request_id
    [newest] = carillon.batches.list(limit=1)
    assert newest.batch_id == batch.batch_id
    assert carillon.batches.retry_failed(batch.batch_id).total == 0
    assert list(carillon.dead_letters.list(batch_id=batch.batch_id)) == []
    assert carillon.batches.cancel(batch.batch_id).statuses == {Status.SENT: 1}


def test_a_batch_of_notifications_with_a_key(carillon: Carillon, user: User, template: str) -> None:
    key = uuid4().hex
    first, again = (
        carillon.send_batch(
            [
                {
                    "user_id": user.id,
                    "channel": "email",
                    "template_id": template,
                    "variables": {"name": "Ada"},
                },
                {"user_id": user.id, "channel": "email", "template_id": "nobody"},
            ],
            idempotency_key=key,
        )
        for _ in range(2)
    )
    assert first == again
    assert (first.accepted, first.refused) == (1, 1)
    assert first.results[1].error is not None


def test_exactly_one_form(carillon: Carillon) -> None:
    with pytest.raises(ValueError, match="either"):
        carillon.send_batch(channel="email", template_id="welcome")
