"""A batch goes out whole, and a cancelled one stops where it is."""

from tests.acceptance.stack import until

COUNT = 300


def _ask(stack, users, **changes):
    body = {
        "recipients": [user["id"] for user in users],
        "channel": "email",
        "template_id": stack.template(),
        "variables": {"name": "Ada"},
        **changes,
    }
    answer = stack.api.post("/notifications/batch", json=body)
    assert answer.status_code == 202, answer.text
    batch = stack.data(answer)
    assert batch["accepted"] == len(users)
    return batch["batch_id"]


def _until_state(stack, batch_id, *states):
    def reached():
        batch = stack.data(stack.api.get(f"/batches/{batch_id}"))
        return batch if batch["state"] in states else None

    return until(reached, seconds=60, what=f"the batch is {' or '.join(states)}")


def test_every_recipient_of_a_batch_gets_one_email(stack):
    stack.until_healthy(seconds=60)
    stack.sandbox.delete("/messages").raise_for_status()
    users = stack.users(COUNT)
    batch_id = _ask(stack, users)
    batch = _until_state(stack, batch_id, "finished")
    assert batch["statuses"] == {"sent": COUNT}
    assert stack.emails() == {user["email"]: 1 for user in users}


def test_what_waits_in_the_queues_is_stopped_by_a_cancel(stack):
    """Invariant: after a cancel was answered, no send of the batch begins."""
    stack.until_healthy(seconds=60)
    stack.sandbox.delete("/messages").raise_for_status()
    users = stack.users(COUNT)
    stack.carillon("stop", "email_service")
    try:
        batch_id = _ask(stack, users)
        until(
            lambda: _waiting(stack) >= COUNT,
            seconds=30,
            what="all of the batch is in its queue",
        )
        told = stack.data(stack.api.post(f"/batches/{batch_id}/cancel"))
        assert (told["state"], told["stops_queued"]) == ("cancelling", True)
    finally:
        stack.carillon("start", "email_service")
    batch = _until_state(stack, batch_id, "cancelled")
    assert batch["statuses"] == {"cancelled": COUNT}
    assert stack.emails() == {}
    stack.until_healthy(seconds=60)


def _waiting(stack):
    management = stack.info["engines"]["rabbitmq"]["management_url"]
    queue = stack.api.get(f"{management}/api/queues/%2F/email.bulk.queue", auth=("guest", "guest"))
    return queue.json().get("messages", 0)
