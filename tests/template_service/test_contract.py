"""No request, good or bad, makes the running service break its own OpenAPI document."""

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

from tests.template_service.conftest import WELCOME

load_all_checks()

NOT_PROMISED = [
    # Which texts a channel has, and the templates' syntax, JSON Schema cannot say.
    "positive_data_acceptance",
    # Parameters that nobody knows are ignored.
    "negative_data_rejection",
    # Every generated call bears the internal token.
    "ignored_auth",
]
KNOWN = {"template_id": WELCOME["template_id"], "number": 1}


@pytest.fixture
def service_url(postgres_url: str, internal_token: str) -> Iterator[str]:
    """The URL of `python -m template_service`, which has one template."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        environment = os.environ | {
            "DATABASE_URL": postgres_url,
            "INTERNAL_SERVICE_TOKEN": internal_token,
            "API_GATEWAY_URL": "http://127.0.0.1:1",
            "LISTEN_FD": str(listener.fileno()),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "template_service"],
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        login = {"Authorization": f"Bearer {internal_token}"}
        made = httpx.post(f"{url}/templates", json=WELCOME, headers=login, timeout=30)
        assert made.status_code == 201, made.text
        yield url
    finally:
        process.terminate()
        assert process.wait(timeout=20) is not None


def test_every_operation_keeps_its_contract(service_url: str, internal_token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{service_url}/openapi.json")
    login = {"Authorization": f"Bearer {internal_token}"}
    excluded = [CHECKS.get_one(name) for name in NOT_PROMISED]
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.startswith("/templates"):
            continue
        cases = operation.as_strategy(GenerationMode.POSITIVE, headers=login)
        known = {name: value for name, value in KNOWN.items() if f"{{{name}}}" in operation.path}
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
        def keeps_its_contract(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=login, excluded_checks=excluded, timeout=30)

        keeps_its_contract()
        tried.add((operation.method, operation.path))
    assert len(tried) == 8
