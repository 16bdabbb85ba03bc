"""Jobs on many dead letters: each letter once, at a bounded rate, whatever dies meanwhile."""

import asyncio
import time
from collections import Counter

import httpx
import pytest

from shared.schemas.wire import NotificationMessage
from tests.api_gateway.ledgers import redrives
from tests.api_gateway.office import Office, office_of, outcome
from tests.shared.broker import until


async def ask(office: Office, action: str, template: str, **changes) -> httpx.Response:
    body = {"filter": {"template_id": template}, "rate_per_second": 1000, **changes}
    return await office.client.post(f"/dead-letters/{action}", json=body)


async def finished(office: Office, answer: httpx.Response):
    """The job once it is over."""
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["data"]["id"]

    async def is_over():
        return (await office.get(f"/dead-letters/jobs/{job_id}"))["state"] != "running"

    await until(is_over)
    return await office.get(f"/dead-letters/jobs/{job_id}")


async def generations(office: Office, request_ids: set[str]) -> Counter[tuple[str, int]]:
    """What stands in the lane of these notifications, taken out of it."""
    found: Counter[tuple[str, int]] = Counter()
    while len(found) < len(request_ids):
        taken = await office.broker.take("email.queue")
        message = NotificationMessage.model_validate_json(taken.body)
        if str(message.id) in request_ids:
            found[str(message.id), message.generation] += 1
    return found


async def requests_of(office: Office, letter_ids: list[int]) -> set[str]:
    rows = await office.kept("id = ANY($1::bigint[])", letter_ids, number=len(letter_ids))
    return {str(row["notification_id"]) for row in rows}


async def test_a_dry_run_counts_and_starts_nothing(office):
    await office.failed(3, "bells_3")
    await office.failed(1, "bells_3", reason="content_rejected")
    jobs = await office.get("/dead-letters/jobs")
    for action in ("redrive", "discard"):
        answer = await ask(office, action, "bells_3", dry_run=True)
        assert answer.status_code == 200
        counted = answer.json()["data"]
        assert counted["total"] == 4
        by_reason = {one["value"]: one["count"] for one in counted["by_reason"]}
        assert by_reason == {"retries_exhausted": 3, "content_rejected": 1}
    assert await office.get("/dead-letters/jobs") == jobs
    assert len(await office.get("/dead-letters", template_id="bells_3")) == 4


async def test_all_that_fit_are_redriven_and_what_cannot_be_is_told(office):
    ids = await office.failed(12, "bells_4")
    requests = await requests_of(office, ids)
    reached, gone = sorted(requests)[:2]
    message = NotificationMessage.model_validate_json(
        (await office.kept("notification_id = $1::text::uuid", reached))[0]["body"]
    )
    await office.report(outcome(message, status="delivered", reason=None))
    await office.database.execute("DELETE FROM notifications WHERE id = $1::text::uuid", gone)

    async def delivered():
        return (await office.get(f"/notifications/{reached}"))["status"] == "delivered"

    await until(delivered)
    job = await finished(office, await ask(office, "redrive", "bells_4"))
    assert (job["total"], job["done"], job["skipped"], job["remaining"]) == (12, 10, 2, 0)
    assert job["skipped_why"] == {"already_sent": 1, "notification_missing": 1}
    assert job["state"] == "finished"
    assert job["finished_at"]
    found = await generations(office, requests - {reached, gone})
    assert found == Counter({(one, 2): 1 for one in requests - {reached, gone}})
    left = await office.get("/dead-letters", template_id="bells_4")
    assert {one["request_id"] for one in left} == {reached, gone}


async def test_all_that_fit_are_discarded(office):
    ids = await office.failed(5, "bells_5")
    others = await office.failed(2, "bells_5", reason="content_rejected")
    wanted = {"template_id": "bells_5", "reason": "retries_exhausted"}
    job = await finished(office, await ask(office, "discard", "", filter=wanted))
    assert (job["action"], job["done"], job["filter"]["reason"]) == (
        "discard", 5, "retries_exhausted",
    )  # fmt: skip
    discarded = await office.get("/dead-letters", template_id="bells_5", state="discarded")
    assert sorted(one["id"] for one in discarded) == ids
    left = await office.get("/dead-letters", template_id="bells_5")
    assert sorted(one["id"] for one in left) == others


async def test_an_empty_filter_is_meant_and_none_is_a_mistake(office):
    template = {"template_id": "bells_6"}
    for body, path in (
        ({}, "filter"),
        ({"filter": template, "rate_per_second": 0}, "rate_per_second"),
        ({"filter": template, "rate_per_second": 1001}, "rate_per_second"),
        ({"filter": template, "dry_run": "maybe"}, "dry_run"),
        ({"filter": {"state": "open"}}, "filter.state"),
        ({"filter": {"reason": "bad_luck"}}, "filter.reason"),
        ({"filter": {"since": "2026-01-01T00:00:00"}}, "filter.since"),
        ({"filter": {"provider": "x\x00"}}, "filter.provider"),
        ({"filter": template, "colour": 1}, "colour"),
    ):
        for action in ("redrive", "discard"):
            answer = await office.client.post(f"/dead-letters/{action}", json=body)
            assert answer.status_code == 422, answer.text
            assert [one["path"] for one in answer.json()["error"]["fields"]] == [path]
    answer = await ask(office, "redrive", "", filter={}, dry_run=True)
    assert answer.json()["data"]["total"] == await office.database.fetchval(
        "SELECT count(*) FROM dead_letters WHERE state = 'open'"
    )


async def test_the_rate_is_kept_and_a_job_can_be_stopped(office):
    await office.failed(6, "bells_7")
    began = time.monotonic()
    slow = (await ask(office, "discard", "bells_7", rate_per_second=1)).json()["data"]

    async def begun():
        return (await office.get(f"/dead-letters/jobs/{slow['id']}"))["done"] >= 2

    await until(begun)
    assert time.monotonic() - began > 1
    answer = await office.client.post(f"/dead-letters/jobs/{slow['id']}/cancel")
    assert answer.status_code == 200
    stopped = answer.json()["data"]
    assert stopped["state"] == "cancelled"
    assert stopped["done"] + stopped["remaining"] == 6
    assert stopped["remaining"] >= 1
    again = await office.client.post(f"/dead-letters/jobs/{slow['id']}/cancel")
    assert again.status_code == 409
    left = await office.get("/dead-letters", template_id="bells_7")
    assert len(left) == stopped["remaining"]
    # What is left can be taken by another job, and what was done is not done again.
    rest = await finished(office, await ask(office, "discard", "bells_7"))
    assert (rest["total"], rest["done"]) == (len(left), len(left))


async def test_what_comes_later_is_not_touched(office):
    await office.failed(3, "bells_8")
    slow = (await ask(office, "discard", "bells_8", rate_per_second=1)).json()["data"]
    later = await office.failed(2, "bells_8")
    job = await finished(office, httpx.Response(202, json={"data": slow}))
    assert (job["total"], job["done"]) == (3, 3)
    left = await office.get("/dead-letters", template_id="bells_8")
    assert sorted(one["id"] for one in left) == later


async def test_two_jobs_and_single_calls_at_once_take_each_letter_once(office):
    """Invariant: whoever asks, and however often at once, a letter is redriven once."""
    ids = await office.failed(30, "bells_9")
    requests = await requests_of(office, ids)
    first, second, *singles = await asyncio.gather(
        ask(office, "redrive", "bells_9", rate_per_second=60),
        ask(office, "redrive", "bells_9", rate_per_second=100),
        *(office.redrive(letter_id) for letter_id in ids[::3]),
    )
    jobs = [await finished(office, answer) for answer in (first, second)]
    alone = sum(answer.status_code == 202 for answer in singles)
    assert {answer.status_code for answer in singles} <= {202, 409}
    assert sum(job["done"] for job in jobs) + alone == 30
    for job in jobs:
        assert job["done"] + job["skipped"] == job["total"]
    assert await generations(office, requests) == Counter({(one, 2): 1 for one in requests})


async def test_invariant_a_killed_gateway_loses_and_repeats_nothing(start, own_environment):
    """Invariant: kill -9 in the middle of a job neither loses a letter nor redrives one twice."""
    gateway = await start()
    async with office_of(gateway, own_environment) as office:
        ids = await office.failed(20, "bells")
        requests = await requests_of(office, ids)
        answer = await ask(office, "redrive", "bells", rate_per_second=10)
        job_id = answer.json()["data"]["id"]
        done = "SELECT done FROM dead_letter_jobs WHERE id = $1"

        async def is_under_way():
            return await office.database.fetchval(done, job_id) >= 4

        await until(is_under_way)
        gateway.kill()
        progress = await office.database.fetchval(done, job_id)
        assert progress < 20
        redriven = "SELECT count(*) FROM dead_letters WHERE state = 'redriven'"
        assert await office.database.fetchval(redriven) == progress
        gateway.start()
        assert (await office.client.get("/livez", timeout=120)).status_code == 200
        job = await finished(office, answer)
        assert (job["total"], job["done"], job["skipped"]) == (20, 20, 0)
        # The relay may publish a row again that it could not delete: a copy of the same hop.
        assert set(await generations(office, requests)) == {(one, 2) for one in requests}
        assert await redrives(office.database) == [1] * 20


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_jobs_are_listed_newest_first(office, limit):
    asked = [(await ask(office, "discard", "bells_0")).json()["data"]["id"] for _ in range(3)]
    listed, cursor = [], None
    while len(listed) < 3:
        given = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        body = (await office.client.get("/dead-letters/jobs", params=given)).json()
        assert len(body["data"]) <= limit
        listed += [job["id"] for job in body["data"]]
        cursor = body["meta"]["next_cursor"]
    assert listed[:3] == asked[::-1]
