"""A secret's whole life through all services, and then a search for it everywhere."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.api_gateway.suite import Suite, keys_with
from tests.email_service.conftest import ScriptedServer, server  # noqa: F401 - a fixture
from tests.processes import pytest_runtest_makereport  # noqa: F401 - shows logs
from tests.shared.broker import until

CODE = "ZEBRA-493817"
NEEDLE = "zebra"
QUOTED = f"said: Hi Ada, your code is {CODE}."
TOLD = "said: Hi Ada, your code is ***."

TEMPLATE = {
    "name": "Code",
    "channel": "email",
    "subject": "Your code",
    "body_text": "Hi {{name}}, your code is {{code}}.",
    "sensitive": ["code"],
}
LOOKS_UP = "{% set known = dict(a=1) %}{{ known[code] }}"


@pytest.fixture
async def suite(rabbitmq_url, redis_url, internal_token, server):  # noqa: F811
    environment = {
        "RABBITMQ_URL": rabbitmq_url,
        "REDIS_URL": redis_url,
        "INTERNAL_SERVICE_TOKEN": internal_token,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "SMTP_FROM": "hello@carillon.example",
        "SMTP_TLS": "none",
    }
    async with Suite().running(environment) as running:
        yield running


class Sender:
    """Sends the code, and remembers what it sent."""

    def __init__(self, suite: Suite, users: dict[str, int]) -> None:
        self.suite = suite
        self.users = users

    async def __call__(self, to: str = "ada", template: str = "code", **changes) -> str:
        body = {
            "user_id": self.users[to],
            "channel": "email",
            "template_id": template,
            "variables": {"name": "Ada", "code": CODE},
            **changes,
        }
        return (await self.suite.make("/notifications/send", body))["request_id"]


@pytest.fixture
async def send(suite):
    users = {"nobody": 99_999}
    for name in ("ada", "bob"):
        new = {"username": name, "email": f"{name}@example.com"}
        users[name] = (await suite.make("/users", new))["id"]
    off = {"email_enabled": False}
    assert (await suite.api.put(f"/users/{users['bob']}/preferences", json=off)).is_success
    for name, changes in (("code", {}), ("late", {}), ("looks-up", {"body_text": LOOKS_UP})):
        await suite.make("/templates", {"template_id": name, **TEMPLATE, **changes})
    return Sender(suite, users)


async def delivered(suite, send, server):  # noqa: F811
    """Sent at once, after a retry, and after the mail server was away."""
    first = await suite.final(await send())
    assert first["status"] == "sent"
    assert first["variables"] == {"name": "Ada", "code": "***"}
    for refusal, status in (("451 4.2.0 later", "retrying"), ("421 4.3.2 away", "deferred")):
        server.once["BODY"] = f"{refusal}, {QUOTED}"
        shown = await suite.final(await send())
        assert shown["status"] == "sent"
        [waited] = [entry for entry in shown["timeline"] if entry["status"] == status]
        assert TOLD in waited["detail"]
    assert all(CODE.encode() in body for body in server.bodies[:3]), "it was really sent"


async def refused(suite, send, server):  # noqa: F811
    server.once["BODY"] = f"554 5.7.1 no, {QUOTED}"
    shown = await suite.final(await send())
    assert (shown["status"], shown["reason"]) == ("failed", "content_rejected")
    assert TOLD in shown["timeline"][-1]["detail"]
    await redriven(suite, shown["request_id"])
    for to, template, reason in (
        ("bob", "code", "channel_disabled"),
        ("nobody", "code", "user_not_found"),
        ("ada", "looks-up", "missing_variable"),
    ):
        shown = await suite.final(await send(to, template))
        assert shown["reason"] == reason
        assert shown["variables"] == {"name": "Ada", "code": "***"}


async def redriven(suite, request_id):
    """The dead letter is without the code: whoever redrives it gives it anew."""
    [letter] = (await suite.api.get("/dead-letters")).json()["data"]
    address = f"/dead-letters/{letter['id']}"
    message = (await suite.api.get(address)).json()["data"]["message"]
    assert message["variables"] == {"name": "Ada", "code": "***"}
    needed = await suite.api.post(f"{address}/redrive", json={})
    assert needed.status_code == 422
    assert [field["path"] for field in needed.json()["error"]["fields"]] == ["variables.code"]
    await suite.make(f"{address}/redrive", {"variables": {"code": CODE}})
    shown = await suite.final(request_id)
    assert (shown["status"], shown["variables"]) == ("sent", {"name": "Ada", "code": "***"})


async def expired(suite, send):
    """Its lifetime ends while no worker looks at it."""
    worker = suite.services["email_service"]
    worker.freeze()
    end = datetime.now(UTC) + timedelta(seconds=2)
    request_id = await send(expires_at=end.isoformat())
    await until(lambda: datetime.now(UTC) > end)
    worker.thaw()
    assert (await suite.final(request_id))["status"] == "expired"


async def replayed(suite, send):
    body = {
        "user_id": send.users["ada"],
        "channel": "email",
        "template_id": "code",
        "variables": {"name": "Ada", "code": CODE},
    }
    headers = {"Idempotency-Key": str(uuid4())}
    answers = [
        await suite.api.post("/notifications/send", json=body | change, headers=headers)
        for change in ({}, {}, {"variables": {"name": "Ada", "code": f"{CODE}0"}})
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 422]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert (await suite.final(answers[0].json()["data"]["request_id"]))["status"] == "sent"


async def accepted_unseen(suite, send):
    """While the template service is away nobody knows which variable is a secret."""
    templates = suite.services["template_service"]
    templates.kill()
    request_id = await send(template="late")
    shown = await suite.status(request_id)
    assert shown["template_version"] is None
    assert shown["variables"] == {"name": "***", "code": "***"}
    await asyncio.to_thread(templates.start)
    shown = await suite.final(request_id)
    assert (shown["status"], shown["variables"]) == ("sent", {"name": "Ada", "code": "***"})


async def test_no_trace_of_a_secret_is_left_anywhere(suite, send, server, redis_url):  # noqa: F811
    """Invariant: after the final status no table holds a secret, and no answer or log ever did."""
    await delivered(suite, send, server)
    await refused(suite, send, server)
    await expired(suite, send)
    await replayed(suite, send)
    await accepted_unseen(suite, send)
    for path in ("/notifications", "/health"):
        await suite.api.get(path)
    await suite.api.get(f"{suite.services['email_service'].url}/health")

    await until(suite.outbox_is_empty)
    assert await suite.columns_with(NEEDLE) == []
    assert await keys_with(redis_url, NEEDLE) == []
    assert [answer for answer in suite.answers if NEEDLE in answer.lower()] == []
    assert suite.logs_with(NEEDLE) == []
