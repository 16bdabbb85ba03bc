"""The OpenAPI document is the truth: generated calls, good and bad, against a real process."""

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.api_gateway.gateway import ADMIN_KEY, request

load_all_checks()

LOGIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
OWN = ("/notifications", "/api-keys", "/users/{user_id}/notifications")
NOT_PROMISED = [
    # Whether a template fits, and what may stand in an hour's text, JSON Schema cannot say.
    "positive_data_acceptance",
    # Parameters that nobody knows are ignored.
    "negative_data_rejection",
    # Every generated call bears the admin key.
    "ignored_auth",
]


def test_every_operation_keeps_its_contract(gateway):
    known = _things_that_exist(gateway.url)
    document = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    operations = [one for one in operations if one.path.startswith(OWN)]
    # Generated calls must not revoke the key that they bear.
    operations = [one for one in operations if one.method != "delete"]
    assert len(operations) == 6
    succeeded = {one.label for one in operations if _succeeds(one, known)}
    # Nobody guesses the name of a template.
    expected = {one.label for one in operations} - {"POST /notifications/send"}
    assert succeeded - {"POST /notifications/send"} == expected


def _things_that_exist(url):
    sent = httpx.post(f"{url}/notifications/send", json=request(user_id=1), headers=LOGIN)
    return {"user_id": 1, "request_id": sent.json()["data"]["request_id"]}


def _succeeds(operation, known):
    """Whether any of the generated calls was a good one; each must keep the contract."""
    excluded = [CHECKS.get_one(name) for name in NOT_PROMISED]
    given_paths = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
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
