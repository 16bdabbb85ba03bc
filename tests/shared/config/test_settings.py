"""Settings: read once, frozen; a wrong one stops the start and says which."""

from typing import ClassVar

import pytest
from pydantic import SecretStr, ValidationError

from shared.config import DatabaseSettings, ServiceSettings, load


class Settings(ServiceSettings, DatabaseSettings):
    """Settings of a service that exists in tests only."""

    service_name: ClassVar[str] = "bell_service"
    default_port: ClassVar[int] = 1


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("PORT", "LOG_LEVEL", "GRACE_SECONDS", "FCM_SERVER_KEY", "LISTEN_FD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INTERNAL_SERVICE_TOKEN", "s3cret-s3cret-s3cret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://bell:s3cret@127.0.0.1/bells")


def test_what_is_set_wins_and_empty_counts_as_unset(monkeypatch):
    monkeypatch.setenv("GRACE_SECONDS", "7.5")
    monkeypatch.setenv("PORT", "")
    settings = load(Settings)
    assert (settings.grace_seconds, settings.port) == (7.5, 0)
    assert settings.circuit_breaker_failure_threshold == 5
    assert settings.circuit_breaker_recovery_timeout == 60


def test_they_are_frozen_and_hide_their_secrets():
    settings = load(Settings)
    with pytest.raises(ValidationError):
        settings.port = 1
    assert isinstance(settings.database_url, SecretStr)
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "many", "Port; 0 takes the service's own."),
        ("PORT", "70000", "65535"),
        ("LOG_LEVEL", "LOUD", "DEBUG|INFO|WARNING|ERROR"),
        ("INTERNAL_SERVICE_TOKEN", "s3cret", "at least 16"),
        ("DATABASE_URL", None, "postgresql://user:password@host:port/database"),
        ("GRACE_SECONDS", "-1", "Time to finish what is in flight at SIGTERM."),
    ],
)
def test_a_wrong_one_is_named_with_what_is_expected(monkeypatch, name, value, expected):
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        load(Settings)
    said = str(stopped.value)
    assert "bell_service cannot start" in said
    assert f"  {name}: " in said
    assert expected in said
    assert "s3cret" not in said


def test_all_wrong_ones_are_named_at_once(monkeypatch):
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(SystemExit) as stopped:
        load(Settings)
    assert "PORT" in str(stopped.value)
    assert "LOG_LEVEL" in str(stopped.value)


def test_a_dead_setting_is_mentioned_and_not_read(monkeypatch, capsys):
    monkeypatch.setenv("FCM_SERVER_KEY", "s3cret")
    load(Settings)
    said = capsys.readouterr().err
    assert "FCM_SERVER_KEY is ignored" in said
    assert "FCM_CREDENTIALS_FILE" in said
    assert "s3cret" not in said
