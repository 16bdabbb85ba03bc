"""Two accounts at two real servers: who sends which email, and who must not."""

import asyncio
from collections import Counter

import httpx
import pytest

from email_service.__main__ import build
from email_service.settings import EmailSettings
from shared.schemas.vocabulary import Status
from tests.carillon_stack.sandbox.conftest import running_sandbox, sandbox  # noqa: F401 - fixtures
from tests.shared.broker import notification, until
from tests.shared.delivery.conftest import broker, lane, neighbours  # noqa: F401 - fixtures


@pytest.fixture
def second(own_sandbox):
    return own_sandbox


@pytest.fixture
async def health(broker, neighbours, redis_url, internal_token, sandbox, second):  # noqa: F811
    """A worker with both accounts; asks it for its `/health`."""
    settings = EmailSettings(
        rabbitmq_url=broker.url,
        redis_url=redis_url,
        internal_service_token=internal_token,
        user_service_url=neighbours.url,
        template_service_url=neighbours.url,
        circuit_breaker_failure_threshold=3,
        circuit_breaker_recovery_timeout=0.3,
        smtp_host="127.0.0.1",
        smtp_port=sandbox.smtp_port,
        smtp_tls="none",
        smtp_from="Carillon <hello@carillon.example>",
        smtp_fallback_host="127.0.0.1",
        smtp_fallback_port=second.smtp_port,
        smtp_fallback_tls="none",
        smtp_fallback_from="Standby <standby@second.example>",
    )
    app = build(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://email") as client,
    ):

        async def ask():
            return (await client.get("/health")).json()

        yield ask


async def sent(lane, count: int) -> Counter[str]:  # noqa: F811
    """Puts so many emails into the lane; by which accounts they went out."""
    messages = [notification() for _ in range(count)]
    for message in messages:
        await lane.put(message)
    reports = [await lane.report() for _ in messages]
    assert [(report.status, report.attempt) for report in reports] == [(Status.SENT, 1)] * count
    return Counter(report.provider for report in reports)


async def message_ids(*boxes) -> list[str]:
    found = [await asyncio.to_thread(box.get, "/messages", channel="email") for box in boxes]
    return [message["message_id"] for messages in found for message in messages]


async def test_the_second_account_takes_over_and_gives_back(health, lane, sandbox, second):  # noqa: F811
    assert await sent(lane, 5) == {"smtp": 5}
    sandbox.faults({"channel": "email", "kind": "down"})
    assert await sent(lane, 20) == {"smtp-fallback": 20}

    async def is_paused():
        report = await health()
        return report["dependencies"]["smtp"]["status"] == "down" and report

    await until(is_paused)
    report = await is_paused()
    assert report["status"] == "degraded"
    assert "smtp is paused after repeated failures" in report["dependencies"]["smtp"]["detail"]
    assert report["dependencies"]["smtp-fallback"]["status"] == "ok"

    sandbox.faults()

    async def is_back():
        return (await health())["dependencies"]["smtp"]["status"] == "ok"

    await until(is_back)
    assert await sent(lane, 5) == {"smtp": 5}
    ids = await message_ids(sandbox, second)
    assert (len(ids), len(set(ids))) == (30, 30), "each email exactly once"


async def test_both_accounts_mark_an_email_alike(health, lane, sandbox, second):  # noqa: F811
    await sent(lane, 1)
    sandbox.faults({"channel": "email", "kind": "unavailable"})
    await sent(lane, 1)
    [of_first] = await message_ids(sandbox)
    [of_second] = await message_ids(second)
    assert of_first.partition("@")[2] == of_second.partition("@")[2] == "carillon.example>"
    [email] = await asyncio.to_thread(second.get, "/messages", channel="email")
    assert email["from"] == "Standby <standby@second.example>"


async def test_an_unknown_outcome_is_not_handed_to_the_second(health, lane, sandbox, second):  # noqa: F811
    sandbox.faults({"channel": "email", "kind": "disconnect_after_accept", "first": 1})
    await lane.put(notification())
    report = await lane.report()
    assert (report.status, report.provider) == (Status.RETRYING, "smtp")
    assert await message_ids(second) == []
    report = await lane.report()
    assert (report.status, report.attempt) == (Status.SENT, 2)
    ids = await message_ids(sandbox, second)
    assert len(ids) == 2
    assert len(set(ids)) == 1, "a repeat is marked"
