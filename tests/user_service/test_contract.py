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
    """The URL of `python -m user_service`, which has one user."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        environment = os.environ | {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": redis_url,
            "INTERNAL_SERVICE_TOKEN": internal_token,
            "API_GATEWAY_URL": "http://127.0.0.1:9",
            "LISTEN_FD": str(listener.fileno()),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "user_service"],
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        made = httpx.post(
            f"{url}/users",
            json={"username": "johndoe", "email": "john@example.com"},
            headers={"Authorization": f"Bearer {internal_token}"},
            timeout=30,
        )
        assert made.status_code == 201, made.text
        yield url
    finally:
        process.terminate()
        assert process.wait(timeout=20) is not None


def test_every_operation_keeps_its_contract(service_url: str, internal_token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{service_url}/openapi.json")
    login = {"Authorization": f"Bearer {internal_token}"}
    excluded = [CHECKS.get_one(name) for name in NOT_PROMISED]
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.startswith("/users"):
            continue
        known = {"user_id": 1} if "{user_id}" in operation.path else {}
        cases = operation.as_strategy(GenerationMode.POSITIVE, headers=login)
        if known and operation.method != "delete":
            cases |= operation.as_strategy(
                GenerationMode.POSITIVE, headers=login, path_parameters=known
            )
        cases |= operation.as_strategy(GenerationMode.NEGATIVE)

        @bounded(
            max_examples=25,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def holds(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=login, excluded_checks=excluded, timeout=20)

        holds()
        tried += 1
    assert tried == 12
