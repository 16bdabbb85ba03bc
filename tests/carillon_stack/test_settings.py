import json
from pathlib import Path

import pytest

from carillon_stack.home import Home
from carillon_stack.settings import SandboxAddress, Settings

SANDBOX = SandboxAddress(port=8025, smtp_port=2525)


def settings(home: Path, **caller: str) -> dict[str, str]:
    shared = {"RABBITMQ_URL": "amqp://here", "USER_SERVICE_URL": "http://127.0.0.1:8003"}
    return Settings(Home(home), caller, SANDBOX).of_service(8001, shared, "postgresql://db/own")


def test_without_providers_everything_goes_to_the_sandbox(tmp_path: Path):
    environment = settings(tmp_path)

    assert environment["SMTP_PORT"] == "2525"
    assert environment["FCM_API_URL"] == environment["TWILIO_API_URL"] == "http://127.0.0.1:8025"
    account = json.loads(Path(environment["FCM_CREDENTIALS_FILE"]).read_text())
    assert account["token_uri"] == "http://127.0.0.1:8025/token"
    assert account["private_key"].startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("variable", "of_the_same_provider"),
    [
        ("SMTP_HOST", "SMTP_PORT"),
        ("FCM_PROJECT_ID", "FCM_API_URL"),
        ("TWILIO_ACCOUNT_SID", "TWILIO_API_URL"),
    ],
)
def test_a_real_provider_gets_nothing_of_the_sandbox(
    tmp_path: Path, variable: str, of_the_same_provider: str
):
    environment = settings(tmp_path, **{variable: "real"})

    assert environment[variable] == "real"
    assert of_the_same_provider not in environment


def test_the_callers_settings_win_except_where_a_service_listens_and_stores(tmp_path: Path):
    environment = settings(
        tmp_path, RATE_LIMIT_PER_USER="7", PORT="1", LISTEN_FD="9", DATABASE_URL="other"
    )

    assert environment["RATE_LIMIT_PER_USER"] == "7"
    assert environment["PORT"] == "8001"
    assert environment["LISTEN_FD"] == "0"
    assert environment["DATABASE_URL"] == "postgresql://db/own"


def test_what_only_the_shell_knows_does_not_reach_the_services(tmp_path: Path):
    assert "SHLVL" not in settings(tmp_path, SHLVL="3")


@pytest.mark.parametrize(("told", "given"), [("", 30), ("60", 70), ("5.5", 15), ("wrong", 300)])
def test_a_service_is_not_killed_before_its_grace_time_is_up(tmp_path: Path, told: str, given: int):
    assert Settings(Home(tmp_path), {"GRACE_SECONDS": told}, SANDBOX).service_grace == given


def test_loopback_never_goes_through_a_proxy(tmp_path: Path):
    assert settings(tmp_path, NO_PROXY="intranet")["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_keys_stay_the_same_from_start_to_start(tmp_path: Path):
    first = Settings(Home(tmp_path), {}, SANDBOX)
    second = Settings(Home(tmp_path), {}, SANDBOX)

    assert first.api_key == second.api_key
    assert first.api_key.startswith("ck_live_")
    assert len(first.api_key) == len("ck_live_") + 32
    assert "BOOTSTRAP_ADMIN_KEY" not in settings(tmp_path)
    assert first.of_gateway(open_loopback=True)["OPEN_LOOPBACK"] == "true"
    assert "OPEN_LOOPBACK" not in first.of_gateway(open_loopback=False)
