"""A really running suite: gateway, users, templates and email, with the sandbox behind it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner, Result

from carillon_client import Carillon
from carillon_client.cli import app
from shared.schemas.users import User
from tests.carillon_client.engines import database, redis_of_its_own, vhost
from tests.processes import ServiceProcess, free_listener, pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]

ADMIN_KEY = "ck_live_for-the-tests-of-the-client"

WITH_TABLES = ("api_gateway", "user_service", "template_service")

Command = Callable[..., Result]


@dataclass(frozen=True)
class Suite:
    """Where the running processes are."""

    url: str
    sandbox_url: str


@pytest.fixture(scope="package")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with ExitStack() as stack:
        redis_folder = tmp_path_factory.mktemp("redis")
        redis_url = stack.enter_context(redis_of_its_own(redis_folder))
        rabbitmq_url = stack.enter_context(vhost())
        names = ("api_gateway", "user_service", "template_service", "email_service")
        services = {name: ServiceProcess(name) for name in names}
        sandbox = ServiceProcess("carillon_stack.sandbox")
        for process in (sandbox, *services.values()):
            stack.callback(process.close)
        folder = tmp_path_factory.mktemp("sandbox")
        with free_listener() as reserved:
            smtp_port = str(reserved.getsockname()[1])
        sandbox.launch(sandbox_environment(folder, smtp_port))
        shared = {
            **{f"{name.upper()}_URL": process.url for name, process in services.items()},
            "REDIS_URL": redis_url,
            "RABBITMQ_URL": rabbitmq_url,
            "INTERNAL_SERVICE_TOKEN": "internal-token-of-the-client-tests",
            "BOOTSTRAP_ADMIN_KEY": ADMIN_KEY,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": smtp_port,
            "SMTP_FROM": "Carillon <hello@carillon.example>",
            "SMTP_TLS": "none",
        }
        for name, process in services.items():
            own = {"DATABASE_URL": stack.enter_context(database())} if name in WITH_TABLES else {}
            process.launch(shared | own)
        for process in (sandbox, *services.values()):
            process.wait_ready()
        yield Suite(services["api_gateway"].url, sandbox.url)
        # Processes end before their databases go.
        for process in services.values():
            process.close()


def sandbox_environment(folder: Path, smtp_port: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "project_id": "test",
        "private_key_id": "1",
        "private_key": key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode(),
        "client_email": "sandbox@test.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1/token",
    }
    credentials = folder / "account.json"
    credentials.write_text(json.dumps(account))
    return {
        "SANDBOX_PORT": "0",
        "SANDBOX_SMTP_PORT": smtp_port,
        "SANDBOX_DATA": str(folder),
        "SANDBOX_FCM_CREDENTIALS": str(credentials),
        "SANDBOX_TWILIO_SID": "AC" + "0" * 32,
        "SANDBOX_TWILIO_TOKEN": "token",
    }


@pytest.fixture
def carillon(suite: Suite) -> Iterator[Carillon]:
    with Carillon(suite.url, ADMIN_KEY) as client:
        yield client


@pytest.fixture
def user(carillon: Carillon) -> User:
    """Somebody whom no other test knows."""
    name = f"ada-{uuid4().hex[:8]}"
    return carillon.users.create(username=name, email=f"{name}@example.com")


@pytest.fixture
def template(carillon: Carillon) -> str:
    """The id of an email template that no other test knows."""
    template_id = f"welcome-{uuid4().hex[:8]}"
    carillon.templates.create(
        template_id=template_id,
        name="Welcome",
        channel="email",
        subject="Welcome {{name}}!",
        body_text="Hello {{name}}, welcome!",
        variables=["name"],
    )
    return template_id


@pytest.fixture
def command(suite: Suite) -> Command:
    """Runs `carillon WORDS…` against the suite."""

    def run(*words: object, stdin: str | None = None, **environment: str) -> Result:
        known = {"CARILLON_URL": suite.url, "CARILLON_API_KEY": ADMIN_KEY} | environment
        return CliRunner().invoke(app, [str(word) for word in words], input=stdin, env=known)

    return run


@pytest.fixture
def inbox(suite: Suite) -> Callable[[str], list[dict[str, str]]]:
    """What the sandbox received for an address."""

    def received(address: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = httpx.get(
            f"{suite.sandbox_url}/messages", params={"to": address}, trust_env=False
        ).json()
        return found

    return received
