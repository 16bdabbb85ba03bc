import httpx
import pytest

from shared.config import load
from sms_service.__main__ import build
from sms_service.settings import SmsSettings


@pytest.fixture
def environment(monkeypatch, rabbitmq_url, redis_url, internal_token):
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RABBITMQ_URL", rabbitmq_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("INTERNAL_SERVICE_TOKEN", internal_token)
    return monkeypatch


async def test_without_twilio_it_runs_and_says_what_to_set(environment):
    environment.setenv("TWILIO_FROM", "+15005550006")
    app = build(load(SmsSettings))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://sms") as client,
    ):
        report = (await client.get("/health")).json()
    detail = report["dependencies"]["twilio"]["detail"]
    assert detail.endswith("set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN")


async def test_a_sender_that_is_none_stops_the_start(environment):
    environment.setenv("TWILIO_FROM", "Carillon!")
    with pytest.raises(SystemExit, match="TWILIO_FROM"):
        load(SmsSettings)
