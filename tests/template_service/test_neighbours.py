"""The gateway checks templates, and channel workers fetch what they fill."""

import pytest
from sqlalchemy import event

from shared.database import Database
from shared.schemas.content import ContentKey
from template_service.repository import Templates
from tests.template_service.conftest import WELCOME


@pytest.fixture
async def spoken(neighbour, welcome):
    """en 1, de 2 (with one more variable), en 3, de 4, and a template that is off."""
    german = WELCOME | {
        "language": "de",
        "subject": "Hallo {{name}} {{rank}}",
        "variables": ["name", "rank"],
    }
    assert (await neighbour.post("/templates", json=german)).is_success
    for tag in ("en", "de"):
        address = f"/templates/welcome_email?language={tag}"
        assert (await neighbour.put(address, json={"body_text": f"{tag} two"})).is_success
    off = {"template_id": "off", "name": "Off", "channel": "sms", "body_text": "x {{ y }}"}
    assert (await neighbour.post("/templates", json=off)).is_success
    assert (await neighbour.delete("/templates/off")).is_success
    return neighbour


async def test_facts_join_all_languages(spoken):
    question = {"template_ids": ["off", "nothing", "welcome_email", "off"]}
    answer = (await spoken.post("/internal/templates/facts", json=question)).json()["data"]
    facts = {fact["template_id"]: fact for fact in answer["templates"]}
    assert set(facts) == {"off", "welcome_email"}
    welcome = facts["welcome_email"]
    assert (welcome["version"], welcome["active"], welcome["channel"]) == (4, True, "email")
    assert set(welcome["variables"]) == set(welcome["header_variables"]) == {"name", "rank"}
    assert (facts["off"]["active"], facts["off"]["header_variables"]) == (False, [])


async def test_a_pin_fixes_every_language(spoken):
    keys = [
        {"template_id": "welcome_email", "version": version, "languages": languages}
        for version, languages in [
            (4, ["de-at", "de", "en"]),
            (3, ["de-at", "de", "en"]),
            (1, ["de-at", "de", "en"]),
            (None, ["fr", "en"]),
            (2, ["fr", "en"]),
            (None, []),
            (0, ["en"]),
            (10**30, ["DE"]),
        ]
    ]
    keys += [{"template_id": "nothing", "version": 1, "languages": ["en"]}, keys[0]]
    response = await spoken.post("/internal/templates/contents", json={"keys": keys})
    contents = response.json()["data"]["contents"]
    assert [content and content["version"] for content in contents] == [
        *(4, 2, 1, 3, 1, 3, None, 4),
        *(None, 4),
    ]
    assert contents[0]["fields"] == {"subject": "Hallo {{name}} {{rank}}", "body_text": "de two"}


async def test_contents_say_whether_the_template_is_off(spoken):
    keys = [{"template_id": "off", "version": 1, "languages": ["en"]}]
    response = await spoken.post("/internal/templates/contents", json={"keys": keys})
    assert response.json()["data"]["contents"][0]["active"] is False


async def test_only_neighbours_ask(anyone, client):
    for question in ("facts", "contents"):
        response = await client.post(f"/internal/templates/{question}", json={})
        assert response.status_code == 403


async def test_many_keys_are_one_question(spoken, postgres_url):
    """Invariant: however many templates are asked for, the database is asked once."""
    database = Database(postgres_url)
    statements = []
    event.listen(
        database.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    templates = Templates(database)
    keys = [
        ContentKey(template_id="welcome_email", version=1 + n, languages=("de",)) for n in range(99)
    ]
    assert all(await templates.resolve(keys))
    assert len(await templates.facts(["welcome_email", "off"] * 50)) == 2
    assert len(statements) == 2
    await database.close()


async def test_a_secret_in_one_language_is_one_in_all(neighbour):
    """Invariant: whoever sends a text knows what is a secret in any of its languages."""
    english = {"template_id": "t", "name": "T", "channel": "sms", "body_text": "{{ a }} {{ b }}"}
    for text in (english | {"sensitive": ["a"]}, english | {"language": "de", "sensitive": ["b"]}):
        assert (await neighbour.post("/templates", json=text)).is_success
    asked = {"template_ids": ["t"]}
    facts = (await neighbour.post("/internal/templates/facts", json=asked)).json()["data"]
    assert sorted(facts["templates"][0]["sensitive"]) == ["a", "b"]
    keys = [{"template_id": "t", "version": n, "languages": ["en"]} for n in (1, None)]
    answer = await neighbour.post("/internal/templates/contents", json={"keys": keys})
    for content in answer.json()["data"]["contents"]:
        assert sorted(content["sensitive"]) == ["a", "b"]
    for language in ("en", "de"):
        address = f"/templates/t?language={language}"
        assert (await neighbour.put(address, json={"sensitive": None})).is_success
    keys = [{"template_id": "t", "version": n, "languages": ["de"]} for n in (2, 4)]
    answer = await neighbour.post("/internal/templates/contents", json={"keys": keys})
    found = [sorted(content["sensitive"]) for content in answer.json()["data"]["contents"]]
    assert found == [["b"], []]
