"""The OpenAPI document is the truth: generated calls, good and bad, against a real process."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

load_all_checks()

KNOWN = {"user_id": 1, "device_id": 1}

NOT_PROMISED = [
    # Addresses, phone numbers and time zones have rules that JSON Schema cannot say.
    "positive_data_acceptance",
    # `PUT /users/bulk` answers a bad entry with its own result.
    "negative_data_rejection",
    # Every generated call bears the internal token.
    "ignored_auth",
]


@pytest.fixture
def service_url(postgres_url: str, redis_url: str, internal_token: str) -> Iterator[str]:
    """The URL of `python -m user_service`, which has one user with one device."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        environment = os.environ | {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": redis_url,
            "INTERNAL_SERVICE_TOKEN": internal_token,
            "API_GATEWAY_URL": "http://127.0.0.1:9",
            "LISTEN_FD": str(listener.fileno()),
        }
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "user_service"],
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {internal_token}"}, timeout=30
        ) as client:
            john = {"username": "johndoe", "email": "john@example.com"}
            assert client.post("/users", json=john).json()["data"]["id"] == KNOWN["user_id"]
            device = client.post("/users/1/devices", json={"value": "token"})
            assert device.json()["data"]["id"] == KNOWN["device_id"]
        yield url
    finally:
        process.terminate()
        assert process.wait(timeout=20) is not None


def test_every_operation_keeps_its_contract(service_url: str, internal_token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{service_url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    operations = [one for one in operations if one.path.startswith("/users")]
    # What is deleted goes last, a device before its user: until then there is something to find.
    operations.sort(key=lambda one: (one.method == "delete", -len(one.path)))
    login = {"Authorization": f"Bearer {internal_token}"}
    succeeded = {operation.label for operation in operations if _succeeds(operation, login)}
    assert succeeded == {operation.label for operation in operations}
    assert len(operations) == 12


def _succeeds(operation: schemathesis.APIOperation, login: dict[str, str]) -> bool:
    """Whether any of the generated calls was a good one; each must keep the contract."""
    excluded = [CHECKS.get_one(name) for name in NOT_PROMISED]
    known = {name: ident for name, ident in KNOWN.items() if f"{{{name}}}" in operation.path}
    good = operation.as_strategy(GenerationMode.POSITIVE, headers=login)
    if known:
        good |= operation.as_strategy(GenerationMode.POSITIVE, headers=login, path_parameters=known)
    statuses: set[int] = set()

    @bounded(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=good | operation.as_strategy(GenerationMode.NEGATIVE))
    def holds(case: schemathesis.Case) -> None:
        answer = case.call_and_validate(headers=login, excluded_checks=excluded, timeout=20)
        statuses.add(answer.status_code)

    holds()
    return any(status < 300 for status in statuses)
