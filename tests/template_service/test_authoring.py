"""Templates are saved, changed, deactivated and brought back."""

import asyncio

from tests.template_service.conftest import WELCOME, serving


async def test_a_saved_template_is_shown_as_it_was_given(client, welcome):
    assert WELCOME.items() <= welcome.items()
    assert (welcome["version"], welcome["latest_version"], welcome["active"]) == (1, 1, True)
    assert welcome["languages"] == ["en"]
    shown = (await client.get("/templates/welcome_email")).json()
    assert shown == {"success": True, "data": welcome, "error": None, "message": "OK", "meta": None}


async def test_the_same_id_and_language_conflict(client, welcome):
    response = await client.post("/templates", json=WELCOME)
    assert response.status_code == 409
    assert "PUT /templates/welcome_email" in response.json()["message"]


async def test_another_language_takes_the_next_number(client, welcome):
    french = WELCOME | {"language": "fr-ca", "subject": "Bienvenue {{name}} !"}
    response = await client.post("/templates", json=french)
    assert response.status_code == 201
    data = response.json()["data"]
    assert (data["version"], data["language"], data["languages"]) == (2, "fr-CA", ["en", "fr-CA"])


async def test_another_language_keeps_the_channel(client, welcome):
    sms = {"template_id": "welcome_email", "name": "W", "channel": "sms", "body_text": "Salut"}
    response = await client.post("/templates", json=sms | {"language": "fr"})
    assert response.status_code == 422
    assert response.json()["error"]["fields"][0]["path"] == "channel"


async def test_a_change_makes_a_version_and_keeps_what_it_does_not_mention(client, welcome):
    change = {"subject": "Hi {{name}}", "body_html": "<b>{{name}}</b>"}
    changed = (await client.put("/templates/welcome_email", json=change)).json()["data"]
    assert change.items() <= changed.items()
    assert changed["body_text"] == WELCOME["body_text"]
    assert changed["version"] == changed["latest_version"] == 2
    without = (await client.put("/templates/welcome_email", json={"body_html": None})).json()
    assert without["data"]["body_html"] is None
    assert without["data"]["subject"] == change["subject"]
    first = (await client.get("/templates/welcome_email/versions/1")).json()["data"]
    assert first["subject"] == WELCOME["subject"]


async def test_what_was_read_can_be_written_back(client, welcome):
    response = await client.put("/templates/welcome_email", json=welcome | {"name": "Other"})
    assert response.status_code == 200
    moving = {"version", "latest_version", "updated_at", "name"}
    again = response.json()["data"]
    assert {k: v for k, v in again.items() if k not in moving} == {
        k: v for k, v in welcome.items() if k not in moving
    }


async def test_a_required_field_cannot_be_removed(client, welcome):
    response = await client.put("/templates/welcome_email", json={"subject": None})
    assert response.status_code == 422
    assert response.json()["error"]["fields"] == [
        {"path": "subject", "problem": "is required for email"}
    ]


async def test_a_change_names_a_language_that_exists(client, welcome):
    missing = await client.put("/templates/welcome_email?language=de", json={"name": "Gruß"})
    assert missing.status_code == 404
    torn = await client.put("/templates/welcome_email?language=en", json={"language": "de"})
    assert torn.status_code == 422
    by_body = await client.put("/templates/welcome_email", json={"language": "en", "name": "Hi"})
    assert by_body.json()["data"]["name"] == "Hi"


async def test_the_channel_stays(client, welcome):
    response = await client.put("/templates/welcome_email", json={"channel": "sms", "name": "x"})
    assert response.status_code == 422
    assert response.json()["error"]["fields"][0]["path"] == "channel"


async def test_deactivated_and_brought_back(client, welcome):
    gone = await client.delete("/templates/welcome_email")
    assert (gone.status_code, gone.json()["data"]["active"]) == (200, False)
    assert (await client.delete("/templates/welcome_email")).status_code == 200
    refused = await client.post("/templates", json=WELCOME)
    assert refused.status_code == 409
    assert '"active": true' in refused.json()["message"]
    texts = await client.put("/templates/welcome_email", json={"subject": "Still off"})
    assert texts.json()["data"]["active"] is False
    back = (await client.put("/templates/welcome_email", json={"active": True})).json()["data"]
    assert (back["active"], back["version"]) == (True, 2)


async def test_variables_follow_from_the_texts_unless_declared(client):
    sms = {"template_id": "code", "name": "Code", "channel": "sms"}
    made = await client.post("/templates", json=sms | {"body_text": "{{ code }} {{ name }}"})
    assert made.json()["data"]["variables"] == ["code", "name"]
    derived = await client.put("/templates/code", json={"body_text": "{{ code }} {{ place }}"})
    assert derived.json()["data"]["variables"] == ["code", "place"]
    declared = await client.put("/templates/code", json={"variables": ["code", "spare", "code"]})
    assert declared.json()["data"]["variables"] == ["code", "spare"]
    assert declared.json()["data"]["undeclared_variables"] == ["place"]
    kept = await client.put("/templates/code", json={"body_text": "{{ code }} {{ when }}"})
    assert kept.json()["data"]["variables"] == ["code", "spare"]
    assert kept.json()["data"]["undeclared_variables"] == ["when"]
    again = await client.put("/templates/code", json={"variables": None})
    assert again.json()["data"]["variables"] == ["code", "when"]


async def test_a_push_has_data(client):
    push = {
        "template_id": "order",
        "name": "Order",
        "channel": "push",
        "title": "Order {{ id }}",
        "body_text": "It is on its way.",
        "data": {"order.id": "{{ id }}", "kind": "order"},
        "action_url": "app://orders/{{ id }}",
    }
    made = (await client.post("/templates", json=push)).json()["data"]
    assert push.items() <= made.items()
    filled = await client.post("/templates/order/render", json={"variables": {"id": 7}})
    assert filled.json()["data"]["data"] == {"order.id": "7", "kind": "order"}
    assert filled.json()["data"]["action_url"] == "app://orders/7"
    fewer = await client.put("/templates/order", json={"data": {"kind": "parcel"}})
    assert fewer.json()["data"]["data"] == {"kind": "parcel"}
    none = await client.put("/templates/order", json={"data": None, "action_url": None})
    assert (none.json()["data"]["data"], none.json()["data"]["title"]) == (None, push["title"])


async def test_changes_at_once_all_take_effect_under_different_numbers(client, welcome):
    """Invariant: versions count up without gaps, and no change is lost."""
    names = [{"name": f"Name {number}"} for number in range(12)]
    subjects = [{"subject": f"Subject {number}"} for number in range(12)]
    responses = await asyncio.gather(
        *(client.put("/templates/welcome_email", json=change) for change in names + subjects)
    )
    assert [response.status_code for response in responses] == [200] * 24
    versions = sorted(response.json()["data"]["version"] for response in responses)
    assert versions == list(range(2, 26))
    last = (await client.get("/templates/welcome_email")).json()["data"]
    assert last["name"].startswith("Name ")
    assert last["subject"].startswith("Subject ")


async def test_changes_in_two_copies_of_the_service_all_take_effect(client, welcome, settings):
    """Invariant: versions count up without gaps, whichever process they were saved by."""
    async with serving(settings) as other:
        other.headers["authorization"] = client.headers["authorization"]
        changes = [{"name": "New"}, {"subject": "New"}, {"body_text": "New"}, {"body_html": "New"}]
        responses = await asyncio.gather(
            *(
                copy.put("/templates/welcome_email", json=c)
                for c in changes
                for copy in (client, other)
            )
        )
        assert [response.status_code for response in responses] == [200] * 8
        versions = sorted(response.json()["data"]["version"] for response in responses)
        assert versions == list(range(2, 10))
        last = (await other.get("/templates/welcome_email")).json()["data"]
    assert all(last[name] == "New" for change in changes for name in change)


async def test_made_at_once_one_wins(client):
    responses = await asyncio.gather(*(client.post("/templates", json=WELCOME) for _ in range(8)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7


async def test_languages_added_at_once_get_different_numbers(client):
    tags = ["en", "de", "fr", "pt-BR", "zh-Hant-TW"]
    responses = await asyncio.gather(
        *(client.post("/templates", json=WELCOME | {"language": tag}) for tag in tags)
    )
    assert [response.status_code for response in responses] == [201] * 5
    assert sorted(response.json()["data"]["version"] for response in responses) == [1, 2, 3, 4, 5]


async def test_an_unknown_template(client):
    for method in ("GET", "PUT", "DELETE"):
        body = {} if method == "PUT" else None
        response = await client.request(method, "/templates/nothing", json=body)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"


CODE = {
    "template_id": "code",
    "name": "Code",
    "channel": "sms",
    "body_text": "{{ code }} for {{ name }}",
}


async def test_secrets_are_shown_and_kept_by_version(client):
    made = await client.post("/templates", json=CODE | {"sensitive": ["code", "code"]})
    assert made.json()["data"]["sensitive"] == ["code"]
    kept = await client.put("/templates/code", json={"body_text": "{{ code }} and {{ link }}"})
    assert kept.json()["data"]["sensitive"] == ["code"]
    more = await client.put("/templates/code", json={"sensitive": ["code", "link"]})
    assert (more.json()["data"]["version"], more.json()["data"]["sensitive"]) == (
        3,
        ["code", "link"],
    )
    none = await client.put("/templates/code", json={"sensitive": None})
    assert none.json()["data"]["sensitive"] == []
    versions = (await client.get("/templates/code/versions")).json()["data"]
    assert [version["sensitive"] for version in versions] == [
        [],
        ["code", "link"],
        ["code"],
        ["code"],
    ]
    second = (await client.get("/templates/code/versions/2")).json()["data"]
    assert second["sensitive"] == ["code"]


async def test_a_secret_is_a_variable_of_the_template(client):
    refused = await client.post("/templates", json=CODE | {"sensitive": ["code", "cod"]})
    assert refused.status_code == 422
    [field] = refused.json()["error"]["fields"]
    assert field["path"] == "sensitive.1"
    assert "'cod'" in field["problem"]
    spare = CODE | {"variables": ["code", "spare"], "sensitive": ["spare", "name"]}
    assert (await client.post("/templates", json=spare)).status_code == 201


async def test_a_secret_is_not_left_behind_unnoticed(client):
    assert (await client.post("/templates", json=CODE | {"sensitive": ["code"]})).is_success
    change = {"body_text": "For {{ name }}"}
    left = await client.put("/templates/code", json=change)
    assert left.status_code == 422
    assert left.json()["error"]["fields"][0]["path"] == "sensitive.0"
    told = await client.put("/templates/code", json=change | {"sensitive": []})
    assert told.json()["data"]["sensitive"] == []
