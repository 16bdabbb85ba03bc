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
    provider = report["dependencies"]["email-providers"]
    assert provider["status"] == "down"
    assert "set SMTP_HOST, SMTP_FROM" in provider["detail"]


async def test_with_a_mail_server_its_provider_is_well(environment, health, server):
    environment.setenv("SMTP_HOST", "127.0.0.1")
    environment.setenv("SMTP_PORT", str(server.port))
    environment.setenv("SMTP_TLS", "none")
    environment.setenv("SMTP_FROM", "Carillon <hello@carillon.example>")
    assert (await health())["dependencies"]["email-providers"]["status"] == "ok"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SMTP_FROM", "nobody", "SMTP_FROM: "),
        ("SMTP_TLS", "ssl", "none, starttls or tls"),
        ("SMTP_PORT", "0", "SMTP_PORT: "),
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
    assert load(EmailSettings).account.port == port
