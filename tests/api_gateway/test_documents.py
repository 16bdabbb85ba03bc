"""What the gateway says of itself, and of the services behind it."""

from urllib.parse import quote

import pytest

from tests.api_gateway.gateway import NOWHERE
from tests.shared.broker import until

DEPENDENCIES = {
    "postgres",
    "migrations",
    "key-ring",
    "redis",
    "api_gateway-publishing",
    "api_gateway-consuming",
    "status.queue-consumer",
    "failed.queue-consumer",
    "user_service",
    "template_service",
}


async def test_health_shows_each_dependency(client):
    async def all_well():
        return (await client.get("/health")).json()["status"] == "ok"

    await until(all_well)
    health = (await client.get("/health")).json()
    assert set(health) == {"status", "service", "dependencies"}
    assert health["service"] == "api_gateway"
    assert set(health["dependencies"]) >= DEPENDENCIES
    assert all(one["latency_ms"] >= 0 for one in health["dependencies"].values())
    assert (await client.get("/readyz")).status_code == 200
    assert (await client.get("/livez")).json()["success"] is True


async def test_the_root_greets_and_leads_on(client):
    told = (await client.get("/")).json()
    assert told["success"] is True
    for address in (told["data"]["documentation"], told["data"]["openapi"]):
        assert (await client.get(address)).status_code == 200


async def test_metrics_name_routes_and_not_addresses(client):
    await client.get("/notifications?limit=1")
    await client.get("/nowhere/7")
    text = (await client.get("/metrics")).text
    assert 'carillon_http_request_seconds_count{method="GET",route="/notifications"' in text
    assert 'route="unmatched",status="404"' in text
    assert "/nowhere/7" not in text
    assert "carillon_outbox_rows" in text


async def test_one_document_describes_the_services_behind_too(client):
    async def merged():
        paths = (await client.get("/openapi.json")).json()["paths"]
        return {"/users/{rest}", "/templates", "/notifications/send"} <= set(paths)

    await until(merged)
    document = (await client.get("/openapi.json")).json()
    assert not [path for path in document["paths"] if path.startswith("/internal")]
    operations = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(operations) == len(set(operations))
    assert "HTTPBearer" in document["components"]["securitySchemes"]


async def test_without_the_services_behind_it_describes_itself(start):
    gateway = await start(USER_SERVICE_URL=NOWHERE, TEMPLATE_SERVICE_URL=NOWHERE)
    async with gateway.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert "/notifications/send" in paths
        assert (await client.get("/readyz")).status_code == 200
        answer = await client.get("/users/1")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]


@pytest.mark.parametrize("rest", ["1", "1/devices", quote("a b/ü", safe=""), "a;b=c"])
async def test_a_request_is_passed_on_as_it_came(client, rest, internal_token):
    headers = {"X-Correlation-ID": "abc", "X-Secret": "1", "Accept-Language": "de"}
    address = f"/users/{rest}?x=1&x=2&y=%C3%BC"
    answer = await client.put(address, json={"a": "ü"}, headers=headers)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["method"], told["path"]) == ("PUT", f"/users/{rest}")
    assert (told["query"], told["body"]) == ("x=1&x=2&y=%C3%BC", '{"a":"ü"}')
    assert told["headers"]["authorization"] == f"Bearer {internal_token}"
    assert told["headers"]["x-correlation-id"] == "abc"
    assert told["headers"]["accept-language"] == "de"
    assert "x-secret" not in told["headers"]


async def test_no_path_leads_out_of_its_prefix(client):
    for rest in ("..%2Finternal", "%2e%2e/internal", "a%2F..%2F..%2Finternal"):
        assert (await client.get(f"/users/{rest}")).status_code == 404
