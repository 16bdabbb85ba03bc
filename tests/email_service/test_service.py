import httpx
import pytest

from email_service.__main__ import build
from email_service.settings import EmailSettings
from shared.config import load


@pytest.fixture
def environment(monkeypatch, rabbitmq_url, redis_url, internal_token):
    for name in ("SMTP_HOST", "SMTP_FROM", "SMTP_TLS", "SMTP_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RABBITMQ_URL", rabbitmq_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("INTERNAL_SERVICE_TOKEN", internal_token)
    return monkeypatch


@pytest.fixture
async def health(environment):
    async def ask() -> dict:
        app = build(load(EmailSettings))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://email") as client,
        ):
            return (await client.get("/health")).json()

    return ask


async def test_without_a_mail_server_it_runs_and_says_what_to_set(health):
    report = await health()
    assert report["status"] == "degraded"
    provider = report["dependencies"]["smtp"]
    assert provider["status"] == "down"
    assert "set SMTP_HOST, SMTP_FROM" in provider["detail"]


async def test_with_a_mail_server_its_provider_is_well(environment, health, server):
    environment.setenv("SMTP_HOST", "127.0.0.1")
    environment.setenv("SMTP_PORT", str(server.port))
    environment.setenv("SMTP_TLS", "none")
    environment.setenv("SMTP_FROM", "Carillon <hello@carillon.example>")
    assert (await health())["dependencies"]["smtp"]["status"] == "ok"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SMTP_FROM", "nobody", "SMTP_FROM: "),
        ("SMTP_TLS", "ssl", "none, starttls or tls"),
        ("SMTP_PORT", "0", "SMTP_PORT: "),
        ("SMTP_RATE_PER_SECOND", "0", "SMTP_RATE_PER_SECOND: "),
        ("SMTP_RATE_PER_SECOND", "inf", "SMTP_RATE_PER_SECOND: "),
        ("SMTP_CA_FILE", "/nowhere.pem", "SMTP_CA_FILE: "),
    ],
)
async def test_a_wrong_value_stops_the_start_by_name(environment, name, value, said):
    environment.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        load(EmailSettings)
    assert said in str(stopped.value)


@pytest.mark.parametrize(("tls", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
async def test_the_port_follows_from_the_tls_mode(environment, tls, port):
    environment.setenv("SMTP_TLS", tls)
    environment.setenv("SMTP_HOST", "mail.example.com")
    environment.setenv("SMTP_FROM", "hello@carillon.example")
    assert [account.port for account in load(EmailSettings).accounts] == [port]


FALLBACK = {
    "SMTP_FALLBACK_HOST": "second.example.com",
    "SMTP_FALLBACK_PORT": "2525",
    "SMTP_FALLBACK_USER": "ada",
    "SMTP_FALLBACK_PASSWORD": "secret",
    "SMTP_FALLBACK_FROM": "Standby <standby@second.example>",
    "SMTP_FALLBACK_TLS": "none",
}


def test_a_second_account_stands_behind_the_first(environment):
    environment.setenv("SMTP_HOST", "mail.example.com")
    environment.setenv("SMTP_FROM", "hello@carillon.example")
    for name, value in FALLBACK.items():
        environment.setenv(name, value)
    first, second = load(EmailSettings).accounts
    assert (first.name, first.place, first.tls) == ("smtp", "mail.example.com:587", "starttls")
    assert (second.name, second.place, second.tls) == (
        "smtp-fallback",
        "second.example.com:2525",
        "none",
    )
    assert (second.user, second.password.get_secret_value()) == ("ada", "secret")
    assert second.sender.address == "standby@second.example"


def test_a_second_account_sends_as_the_first_unless_told_otherwise(environment):
    environment.setenv("SMTP_HOST", "mail.example.com")
    environment.setenv("SMTP_FROM", "hello@carillon.example")
    environment.setenv("SMTP_FALLBACK_HOST", "second.example.com")
    first, second = load(EmailSettings).accounts
    assert second.sender == first.sender
    assert (second.port, second.user) == (587, None)
    assert (first.patience, second.patience) == (5.0, None)


@pytest.mark.parametrize("name", FALLBACK)
def test_a_fallback_with_nothing_to_stand_behind_stops_the_start(environment, name):
    environment.setenv(name, FALLBACK[name])
    missing = "SMTP_HOST" if name == "SMTP_FALLBACK_HOST" else "SMTP_FALLBACK_HOST"
    with pytest.raises(SystemExit, match=rf"{name}: .*set {missing}\b"):
        load(EmailSettings)
