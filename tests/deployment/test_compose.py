"""The containers: what each is given is what it reads, and none is left unbounded."""

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from push_service.fcm.account import ServiceAccount
from tests.deployment import compose, variables
from tests.deployment.variables import ROOT, SETTINGS

ENGINES = {"postgres", "rabbitmq", "redis"}
SANDBOX = {"sandbox", "sandbox_account"}

# The image says where to listen; the rest has no meaning in a container.
_NOT_PASSED = {"HOST", "LISTEN_FD", "OPEN_LOOPBACK"}
_SECRETS = {
    "POSTGRES_PASSWORD",
    "RABBITMQ_PASSWORD",
    "REDIS_PASSWORD",
    "INTERNAL_SERVICE_TOKEN",
    "BOOTSTRAP_ADMIN_KEY",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(compose.load(compose.development())["services"])


def seconds(text: str) -> float:
    """A duration such as `45s`."""
    unit = {"s": "seconds", "m": "minutes"}[text[-1]]
    return timedelta(**{unit: int(text[:-1])}).total_seconds()


def test_the_file_fits_the_compose_specification():
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, compose.FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_and_engine_is_there(services):
    assert set(services) == set(SETTINGS) | ENGINES | SANDBOX


def test_only_the_sandbox_needs_a_profile(services):
    with_profile = {
        name: about["profiles"] for name, about in services.items() if "profiles" in about
    }
    assert with_profile == {name: ["development"] for name in sorted(SANDBOX)}


def test_each_lives_within_limits_and_comes_back(services):
    for name, about in services.items():
        limits = about["deploy"]["resources"]["limits"]
        assert {"cpus", "memory"} <= limits.keys(), name
        assert about["security_opt"] == ["no-new-privileges:true"], name
        if name != "sandbox_account":
            assert about["restart"] == "unless-stopped", name
            assert about["healthcheck"]["test"][0].startswith("CMD"), name


def test_services_run_without_rights(services):
    for name in SETTINGS:
        about = services[name]
        assert about["read_only"] is True, name
        assert about["cap_drop"] == ["ALL"], name
        assert about["init"] is True, name


def test_services_wait_for_healthy_engines(services):
    for name in SETTINGS:
        for dependency, about in services[name]["depends_on"].items():
            if dependency not in SANDBOX:
                assert about["condition"] == "service_healthy", f"{name} → {dependency}"


def test_a_container_outlives_its_grace_time(services):
    for name, kind in SETTINGS.items():
        grace = kind.model_fields["grace_seconds"].default
        assert seconds(services[name]["stop_grace_period"]) >= 2 * grace, name


def test_only_the_gateway_is_published_beyond_loopback():
    loaded = compose.load(compose.development() | {"GATEWAY_PUBLISH": "0.0.0.0:80"})
    ports = {name: about.get("ports", []) for name, about in loaded["services"].items()}
    open_to_all = {n for n, given in ports.items() if any("127.0.0.1:" not in p for p in given)}
    assert open_to_all == {"api_gateway"}
    assert loaded["networks"]["engines"]["internal"] is True


@pytest.mark.parametrize("name", sorted(_SECRETS))
def test_nothing_starts_without_a_secret(name):
    given = dict.fromkeys(_SECRETS - {name}, "x" * 32)
    with pytest.raises(compose.Missing, match=name):
        compose.load(given)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_service_is_given_what_it_reads_and_nothing_else(services, name):
    given = set(services[name]["environment"])
    assert given == set(variables.of_service(name)) - _NOT_PASSED


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_service_accepts_its_environment(services, name, monkeypatch, tmp_path):
    environment = dict(services[name]["environment"])
    if "FCM_CREDENTIALS_FILE" in environment:
        environment["FCM_CREDENTIALS_FILE"] = str(made_account(tmp_path))
    for variable in variables.of_all():
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    settings = SETTINGS[name]()
    assert settings.port == settings.default_port


def test_services_find_each_other(services):
    for name in SETTINGS:
        for variable, value in services[name]["environment"].items():
            if variable.endswith("_SERVICE_URL") or variable == "API_GATEWAY_URL":
                host, port = value.removeprefix("http://").split(":")
                assert services[host]["environment"]["PORT"] == port, f"{name}: {variable}"


def test_each_database_that_is_used_is_made(services):
    statements = compose.load(compose.development())["configs"]["databases"]["content"]
    urls = [about["environment"].get("DATABASE_URL", "") for about in services.values()]
    for database in {url.rpartition("/")[2] for url in urls if url}:
        assert f"CREATE DATABASE {database};" in statements


def test_the_sandbox_and_the_push_service_agree_on_their_account(services, tmp_path):
    account = ServiceAccount.from_file(made_account(tmp_path))
    assert account.token_uri == services["push_service"]["environment"]["FCM_API_URL"] + "/token"
    credentials = services["push_service"]["environment"]["FCM_CREDENTIALS_FILE"]
    assert services["sandbox"]["environment"]["SANDBOX_FCM_CREDENTIALS"] == credentials
    assert services["sandbox_account"]["environment"]["ACCOUNT_FILE"] == credentials


def test_an_account_that_exists_is_kept(tmp_path):
    assert made_account(tmp_path).read_text() == made_account(tmp_path).read_text()


def made_account(folder) -> Any:
    """What the container `sandbox_account` leaves behind."""
    content = compose.load(compose.development())["configs"]["sandbox_account"]["content"]
    file = folder / "account.json"
    environment = {"ACCOUNT_FILE": str(file)}
    subprocess.run([sys.executable, "-c", content], env=environment, check=True)
    assert json.loads(file.read_text())["type"] == "service_account"
    return file


def test_the_health_check_tells_ready_from_not(services, ready_server):
    _, python, *command = services["api_gateway"]["healthcheck"]["test"]
    assert python == "python"
    for status, expected in ((200, 0), (503, 1)):
        port = ready_server(status)
        done = subprocess.run(
            [sys.executable, *command], env={"PORT": str(port)}, cwd=ROOT, check=False
        )
        assert done.returncode == expected
