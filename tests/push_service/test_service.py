import httpx

from push_service.__main__ import build
from push_service.settings import PushSettings


async def test_without_firebase_it_runs_and_says_what_to_set(
    rabbitmq_url, redis_url, internal_token, monkeypatch
):
    monkeypatch.delenv("FCM_CREDENTIALS_FILE", raising=False)
    settings = PushSettings(
        rabbitmq_url=rabbitmq_url, redis_url=redis_url, internal_service_token=internal_token
    )
    app = build(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://push") as client,
    ):
        report = (await client.get("/health")).json()
    assert "set FCM_CREDENTIALS_FILE" in report["dependencies"]["fcm"]["detail"]
