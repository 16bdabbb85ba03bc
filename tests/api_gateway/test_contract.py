"""The OpenAPI document is the truth: generated calls, good and bad, against a real process."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.api_gateway.gateway import ADMIN_KEY, request
from tests.api_gateway.office import office_of

load_all_checks()

LOGIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
OWN = (
    "/notifications",
    "/api-keys",
    "/users/{user_id}/notifications",
    "/batches",
    "/dead-letters",
    "/recoveries",
)
LEFT_OUT = ("DELETE /api-keys/{key_id}", "POST /recoveries")
NOT_PROMISED = [
    # Whether a template fits, and what may stand in an hour's text, JSON Schema cannot say.
    "positive_data_acceptance",
    # Parameters that nobody knows are ignored.
    "negative_data_rejection",
    # Every generated call bears the admin key.
    "ignored_auth",
]


@pytest.fixture
async def known(gateway, environment):
    """Parameters of paths that lead to something."""
    async with office_of(gateway, environment) as office:
        redriven, discarded = [await office.accepted(user_id=1) for _ in range(2)]
        batches = [await _batch(office) for _ in range(2)]
        waiting = """
            INSERT INTO dead_letter_jobs (action, filter, rate_per_second, up_to_id, total, due_at)
            VALUES ('discard', '{}', 1, 0, 0, now() + interval '1 day') RETURNING id
        """
        return {
            "user_id": 1,
            "request_id": str(redriven.id),
            "batch_id": batches[0],
            "batch_id of cancel": batches[1],
            "letter_id": await office.fail(redriven),
            "letter_id of discard": await office.fail(discarded),
            "job_id": await office.database.fetchval(waiting),
            "recovery_id": await office.database.fetchval(
                "INSERT INTO recoveries (state, rate_per_second) VALUES ('finished', 1) "
                "RETURNING id"
            ),
        }


async def _batch(office):
    body = {"notifications": [request()]}
    answer = await office.client.post("/notifications/batch", json=body)
    return answer.json()["data"]["batch_id"]


def test_every_operation_keeps_its_contract(gateway, known):
    document = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    operations = [one for one in operations if one.path.startswith(OWN)]
    # Generated calls must not revoke the key that they bear, nor set all outboxes aside.
    operations = [one for one in operations if one.label not in LEFT_OUT]
    assert len(operations) == 22
    # Jobs take every letter: single ones have their turn before.
    operations.sort(key=lambda one: "{letter_id}" not in one.path)
    succeeded = {one.label for one in operations if succeeds(one, _paths(one, known))}
    # Nobody guesses the name of a template.
    expected = {one.label for one in operations} - {"POST /notifications/send"}
    assert succeeded - {"POST /notifications/send"} == expected


def _paths(operation, known):
    if operation.path.endswith("/{letter_id}/discard"):
        known = known | {"letter_id": known["letter_id of discard"]}
    if operation.path.endswith("/{batch_id}/cancel"):
        known = known | {"batch_id": known["batch_id of cancel"]}
    return {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}


def succeeds(operation, given_paths):
    """Whether any of the generated calls was a good one; each must keep the contract."""
    excluded = [CHECKS.get_one(name) for name in NOT_PROMISED]
    calls = operation.as_strategy(GenerationMode.POSITIVE, headers=LOGIN)
    if given_paths:
        calls |= operation.as_strategy(
            GenerationMode.POSITIVE, headers=LOGIN, path_parameters=given_paths
        )
    calls |= operation.as_strategy(GenerationMode.NEGATIVE)
    statuses = set()

    @bounded(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=calls)
    def keeps_its_contract(case):
        answer = case.call_and_validate(headers=LOGIN, excluded_checks=excluded, timeout=20)
        statuses.add(answer.status_code)

    keeps_its_contract()
    return any(status < 300 for status in statuses)
