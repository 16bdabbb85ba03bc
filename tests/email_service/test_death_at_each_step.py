"""A worker dies at each step of a delivery; the next one takes over.

One email arrives, or a second one that is marked: by its Message-ID, and in the timeline.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from typing import Any

import asyncpg
import httpx
import pytest

from shared.schemas.profile import Profile
from tests.api_gateway.gateway import running
from tests.email_service.mortal import STEPS
from tests.processes import REPOSITORY
from tests.shared.broker import until
from tests.shared.delivery.neighbours import Neighbours

FATES = ("sent", "retry", "dead")
DOUBT = re.compile("sent again: the outcome of an earlier send is unknown|a worker died")


@dataclass(frozen=True)
class Case:
    user_id: int
    step: str
    fate: str

    @property
    def to(self) -> str:
        return f"user-{self.user_id}@example.com"

    @property
    def fault(self) -> dict[str, object] | None:
        kinds = {"retry": ("reject_transient", {"first": 1}), "dead": ("reject_permanent", {})}
        if self.fate not in kinds:
            return None
        kind, more = kinds[self.fate]
        return {"channel": "email", "kind": kind, "to": self.to, **more}

    @property
    def is_in_doubt(self) -> bool:
        """Nobody can know what became of the first try."""
        return self.step in ("after the claim", "after the provider's answer")

    @property
    def emails(self) -> int:
        if self.fate == "dead":
            return 0
        return 2 if (self.step, self.fate) == ("after the provider's answer", "sent") else 1

    @property
    def statuses(self) -> list[str]:
        """What the timeline says, attempt by attempt."""
        if self.fate == "dead":
            return ["failed"]
        # The provider declines the first try only, and that may be the one that nobody knows of.
        is_declined = self.fate == "retry" and self.step != "after the provider's answer"
        return ["retrying", "sent"] if is_declined else ["sent"]

    @property
    def attempts(self) -> int:
        return len(self.statuses) + self.is_in_doubt


CASES = [Case(number, *case) for number, case in enumerate(product(STEPS, FATES), 1)]


@pytest.fixture
async def neighbours():
    served = Neighbours()
    served.profiles = {
        case.user_id: Profile(user_id=case.user_id, version=1, email=case.to) for case in CASES
    }
    async with served.serving() as running:
        yield running


@pytest.fixture
def held(tmp_path):
    """Where each worker notes what it holds."""
    folder = tmp_path / "held"
    folder.mkdir()
    return folder


@pytest.fixture
def workers(held, rabbitmq_url, redis_url, internal_token, neighbours, own_sandbox):
    """Starts email workers that die, or one that lives."""
    environment = {
        "RABBITMQ_URL": rabbitmq_url,
        "REDIS_URL": redis_url,
        "INTERNAL_SERVICE_TOKEN": internal_token,
        "USER_SERVICE_URL": neighbours.url,
        "TEMPLATE_SERVICE_URL": neighbours.url,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(own_sandbox.smtp_port),
        "SMTP_TLS": "none",
        "SMTP_FROM": "Carillon <hello@carillon.example>",
        **dict.fromkeys(("NORMAL_SLOTS", "PREFETCH_PER_SLOT"), "1"),
        "GRACE_SECONDS": "3",
    }
    started = []

    def start(count: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.email_service.mortal", str(held), str(count)],
            cwd=REPOSITORY,
            env=os.environ | environment,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait()


async def test_one_email_or_a_marked_repeat_and_a_timeline_that_tells_the_truth(
    held, postgres_url, rabbitmq_url, redis_url, own_sandbox, workers
):
    own_sandbox.faults(*[case.fault for case in CASES if case.fault])
    environment = {
        "DATABASE_URL": postgres_url,
        "RABBITMQ_URL": rabbitmq_url,
        "REDIS_URL": redis_url,
    }
    mortal = workers(len(CASES))
    with running(environment) as gateway:
        async with gateway.client() as client:
            ids = {case: await send(client, case) for case in CASES}
            await until(lambda: len(list(held.iterdir())) == len(CASES))
            (held / "go").touch()
            await until(lambda: mortal.poll() is not None)
            workers(0)
            shown = {case: await final(client, ids[case]) for case in CASES}
        kept = await dead_letters(postgres_url)
    assert kept == sorted(ids[case] for case in CASES if case.fate == "dead")
    for case in CASES:
        check(case, shown[case], own_sandbox.get("/messages", channel="email", to=case.to))


async def send(client: httpx.AsyncClient, case: Case) -> str:
    body = {
        "user_id": case.user_id,
        "channel": "email",
        "template_id": "bells",
        "variables": {"name": "Ada", "dies_at": case.step},
    }
    response = await client.post("/notifications/send", json=body)
    assert response.status_code == 202, response.text
    return str(response.json()["data"]["request_id"])


async def final(client: httpx.AsyncClient, request_id: str) -> dict[str, Any]:
    """The notification once its status is final."""
    shown: dict[str, Any] = {}

    async def is_final() -> bool:
        shown.update((await client.get(f"/notifications/{request_id}")).json()["data"])
        return shown["status"] in ("sent", "failed")

    await until(is_final)
    return shown


async def dead_letters(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT notification_id FROM dead_letters")
    await connection.close()
    return sorted(str(row["notification_id"]) for row in rows)


def check(case: Case, notification: dict[str, Any], emails: list[dict[str, Any]]) -> None:
    timeline = [entry for entry in notification["timeline"] if entry["status"] != "processing"]
    assert [entry["status"] for entry in timeline] == ["queued", *case.statuses], case
    assert notification["status"] == case.statuses[-1], case
    assert notification["attempts"] == case.attempts, case
    assert len(emails) == case.emails, case
    assert len({email["message_id"] for email in emails}) <= 1, case
    doubts = [entry for entry in timeline if DOUBT.search(entry["detail"] or "")]
    assert doubts == (timeline[1:2] if case.is_in_doubt else []), case
