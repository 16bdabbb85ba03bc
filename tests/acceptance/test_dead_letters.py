"""What a provider refused for good is kept, and all of it goes out once the cause is gone."""

import asyncio
from collections import Counter

import httpx
import pytest

from tests.acceptance.stack import until

AT_ONCE = 20


async def _send_all(stack, users, template_id):
    """The ids of one email to each user."""
    headers = dict(stack.api.headers)
    free = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=30) as client:

        async def send(user):
            body = {
                "user_id": user["id"],
                "channel": "email",
                "template_id": template_id,
                "variables": {"name": "Ada"},
            }
            async with free:
                response = await client.post("/notifications/send", json=body)
            assert response.status_code == 202, response.text
            return response.json()["data"]["request_id"]

        return set(await asyncio.gather(*map(send, users)))


def _pages(stack, path, **params):
    found, cursor = [], None
    while True:
        given = {**params, "limit": 100, **({"cursor": cursor} if cursor else {})}
        body = stack.api.get(path, params=given).raise_for_status().json()
        found += body["data"]
        cursor = body["meta"]["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.endurance)])
def test_refused_ones_are_kept_and_redriven_in_one_call(stack, count):
    stack.until_healthy(seconds=60)
    users, template_id = stack.users(count), stack.template()
    fault = [{"channel": "email", "kind": "reject_permanent", "rate": 1.0}]
    stack.sandbox.put("/faults", json=fault).raise_for_status()
    try:
        sent = asyncio.run(_send_all(stack, users, template_id))

        def groups():
            wanted = {"template_id": template_id, "group_by": "reason"}
            return stack.data(stack.api.get("/dead-letters", params=wanted))

        def all_refused():
            return sum(group["count"] for group in groups()) == count

        until(all_refused, seconds=300, what="every one is in the dead letters")
    finally:
        stack.sandbox.put("/faults", json=[]).raise_for_status()
    [group] = groups()
    assert group["count"] == count
    letters = _pages(stack, "/dead-letters", template_id=template_id)
    assert {letter["request_id"] for letter in letters} == sent
    assert stack.notification(letters[0]["request_id"])["status"] == "failed"

    wanted = {"filter": {"reason": group["value"], "template_id": template_id}}
    answer = stack.api.post("/dead-letters/redrive", json={**wanted, "rate_per_second": 1000})
    assert answer.status_code == 202, answer.text
    job_id = stack.data(answer)["id"]

    def over():
        job = stack.data(stack.api.get(f"/dead-letters/jobs/{job_id}"))
        return job if job["state"] == "finished" else None

    job = until(over, seconds=300, what="the job is over")
    assert (job["total"], job["done"], job["skipped"]) == (count, count, 0)
    stack.until_received([user["email"] for user in users], seconds=300)
    everything = {"channel": "email", "limit": 20000}
    response = stack.sandbox.get("/messages", params=everything, timeout=120)
    addresses = {user["email"] for user in users}
    times = Counter(message["to"] for message in response.json() if message["to"] in addresses)
    assert set(times.values()) == {1}
    assert groups() == []
    told = [entry["status"] for entry in stack.final(letters[-1]["request_id"])["timeline"]]
    assert told == ["queued", "processing", "failed", "queued", "processing", "sent"]
