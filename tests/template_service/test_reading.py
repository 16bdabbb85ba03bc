"""Templates are found in the right language and version, and tried."""

import pytest

from tests.template_service.conftest import WELCOME


@pytest.fixture
async def spoken(client):
    """German first, then pt, pt-BR and en; then German again: versions 1 to 5."""
    for tag in ("de", "pt", "pt-BR", "en"):
        text = WELCOME | {"language": tag, "subject": f"{tag} {{{{name}}}}"}
        assert (await client.post("/templates", json=text)).status_code == 201
    change = {"subject": "de neu {{name}}"}
    response = await client.put("/templates/welcome_email?language=de", json=change)
    assert response.json()["data"]["version"] == 5
    return client


async def test_languages_fall_back(spoken):
    expected = {
        "pt-BR": "pt-BR",
        "PT-br": "pt-BR",
        "pt-PT": "pt",
        "de-AT": "de",
        "fr": "en",
        None: "en",
    }
    for wanted, language in expected.items():
        query = {"language": wanted} if wanted else {}
        shown = await spoken.get("/templates/welcome_email", params=query)
        assert shown.json()["data"]["language"] == language


async def test_without_english_the_first_language_is_shown(client):
    for tag in ("sv", "da"):
        assert (await client.post("/templates", json=WELCOME | {"language": tag})).is_success
    shown = await client.get("/templates/welcome_email?language=fr")
    assert shown.json()["data"]["language"] == "sv"


async def test_a_try_renders_as_it_would_be_sent(spoken):
    async def tried(**request):
        body = {"variables": {"name": "<Jo>"}} | request
        response = await spoken.post("/templates/welcome_email/render", json=body)
        return response.status_code, response.json()["data"]

    status, data = await tried(language="de")
    assert (status, data["version"], data["subject"]) == (200, 5, "de neu <Jo>")
    _, data = await tried(language="de", version=4)
    assert (data["version"], data["subject"]) == (1, "de <Jo>")
    _, data = await tried(version=2)
    assert (data["version"], data["language"]) == (2, "pt")
    _, data = await tried(language="pt-BR", version=2)
    assert (data["version"], data["language"]) == (2, "pt")
    status, _ = await tried(version=6)
    assert status == 404
    status, _ = await tried(version=6, language="de")
    assert status == 404


async def test_html_is_escaped_and_text_is_not(client):
    html = WELCOME | {"body_html": "<p>{{ name }}</p>"}
    assert (await client.post("/templates", json=html)).is_success
    body = {"variables": {"name": "Tom & <Jerry>"}}
    data = (await client.post("/templates/welcome_email/render", json=body)).json()["data"]
    assert data["body_html"] == "<p>Tom &amp; &lt;Jerry&gt;</p>"
    assert data["body_text"] == "Hello Tom & <Jerry>, welcome!"
    assert data["subject"] == "Welcome Tom & <Jerry>!"


async def test_missing_variables_are_all_named(client):
    texts = WELCOME | {"body_text": "{{ a }} {{ b }} {{ c }}", "variables": ["a", "b"]}
    assert (await client.post("/templates", json=texts)).is_success
    none = await client.post("/templates/welcome_email/render", json={})
    assert none.status_code == 422
    assert [field["path"] for field in none.json()["error"]["fields"]] == [
        "variables.a",
        "variables.b",
    ]
    declared = {"variables": {"a": 1, "b": 2, "name": "Jo"}}
    undeclared = await client.post("/templates/welcome_email/render", json=declared)
    assert undeclared.json()["error"]["fields"] == [
        {"path": "variables.c", "problem": "is missing"}
    ]


async def test_a_line_break_in_a_header_is_refused(client, welcome):
    body = {"variables": {"name": "Jo\r\nBcc: all@example.com"}}
    response = await client.post("/templates/welcome_email/render", json=body)
    assert response.status_code == 422
    assert response.json()["error"]["fields"][0]["path"] == "variables.name"


async def test_a_rendering_that_grows_too_large_is_refused(client):
    text = {"template_id": "t", "name": "T", "channel": "sms", "body_text": "{{ x }}" * 100}
    assert (await client.post("/templates", json=text)).is_success
    body = {"variables": {"x": "y" * 10_000}}
    response = await client.post("/templates/t/render", json=body)
    assert response.status_code == 422
    assert response.json()["error"]["fields"][0]["path"] == "variables"


async def test_lists_go_page_by_page(client):
    for number in range(5):
        channel = "sms" if number % 2 else "email"
        texts = {"body_text": "x"} if channel == "sms" else {"subject": "s", "body_text": "x"}
        new = {"template_id": f"t{number}", "name": f"T{number}", "channel": channel, **texts}
        assert (await client.post("/templates", json=new)).is_success
    await client.delete("/templates/t0")

    async def walked(**filters):
        found, cursor = [], None
        while True:
            query = {"limit": 2, **filters} | ({"cursor": cursor} if cursor else {})
            body = (await client.get("/templates", params=query)).json()
            assert body["meta"]["limit"] == 2
            found += [template["template_id"] for template in body["data"]]
            cursor = body["meta"]["next_cursor"]
            if cursor is None:
                return found

    assert await walked() == ["t0", "t1", "t2", "t3", "t4"]
    assert await walked(channel="email") == ["t0", "t2", "t4"]
    assert await walked(active=False) == ["t0"]
    assert await walked(active=True, channel="sms") == ["t1", "t3"]


async def test_versions_are_listed_newest_first(spoken):
    first = (await spoken.get("/templates/welcome_email/versions?limit=3")).json()
    assert [version["version"] for version in first["data"]] == [5, 4, 3]
    cursor = first["meta"]["next_cursor"]
    rest = (await spoken.get(f"/templates/welcome_email/versions?cursor={cursor}")).json()
    assert [version["version"] for version in rest["data"]] == [2, 1]
    assert rest["meta"]["next_cursor"] is None
    german = (await spoken.get("/templates/welcome_email/versions?language=de")).json()
    assert [version["version"] for version in german["data"]] == [5, 1]
    assert (await spoken.get("/templates/nothing/versions")).status_code == 404
    assert (await spoken.get("/templates/welcome_email/versions/6")).status_code == 404
