"""Batches from a Python program, against a running suite."""

import json
from uuid import uuid4

import pytest

from carillon_client import Carillon
from shared.schemas.batches import BatchState
from shared.schemas.users import User
from shared.schemas.vocabulary import Status
from tests.carillon_client.conftest import Command
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


def test_on_the_command_line(
    carillon: Carillon, command: Command, user: User, template: str
) -> None:
    name = f"dead-{uuid4().hex[:8]}"
    nobody = carillon.users.create(username=name, email=f"{name}@example.com")
    batch = carillon.send_batch(
        recipients=[user.id, nobody.id],
        channel="email",
        template_id=template,
        variables={"name": "Ada"},
    )
    words = ("batches", "show", batch.batch_id)
    wait_until(lambda: "finished" in command(*words).output)
    shown = command(*words).output
    assert "recipient_rejected" in shown
    assert json.loads(command(*words, "--json").stdout)["statuses"]["sent"] == 1
    assert str(batch.batch_id) in command("batches", "list").output
    retried = command("batches", "retry-failed", batch.batch_id)
    assert (retried.exit_code, "1 redriven" in retried.output) == (0, True), retried.output
    cancelled = command("batches", "cancel", batch.batch_id)
    assert (cancelled.exit_code, "Cancelled" in cancelled.output) == (0, True)
    unknown = command("batches", "show", uuid4())
    assert unknown.exit_code == 1
    assert "✗" in unknown.stderr
