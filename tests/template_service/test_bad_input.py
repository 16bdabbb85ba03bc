"""What cannot be a template is refused at saving, field by field."""

from tests.template_service.conftest import WELCOME

SMS = {"template_id": "text", "name": "Text", "channel": "sms", "body_text": "Hello"}
PUSH = {"template_id": "note", "name": "Note", "channel": "push", "title": "T", "body_text": "B"}


WRONG_TEMPLATES = [
    (WELCOME | {"template_id": "has space"}, "template_id"),
    (WELCOME | {"template_id": "x" * 101}, "template_id"),
    (WELCOME | {"template_id": "x\n"}, "template_id"),
    (WELCOME | {"channel": "pigeon"}, "channel"),
    (WELCOME | {"name": "two\nlines"}, "name"),
    (WELCOME | {"name": "x" * 256}, "name"),
    (WELCOME | {"subject": "a\r\nBcc: b@example.com"}, "subject"),
    (WELCOME | {"subject": 7}, "subject"),
    (WELCOME | {"subject": None}, "subject"),
    (WELCOME | {"subject": "a\u0000b"}, "subject"),
    (WELCOME | {"body_text": ""}, "body_text"),
    (WELCOME | {"body_text": "x" * 65537}, "body_text"),
    (WELCOME | {"body_text": "é" * 40000}, "body_text"),
    (WELCOME | {"title": "x"}, "title"),
    (WELCOME | {"data": {"a": "b"}}, "data"),
    (WELCOME | {"variables": ["not a name"]}, "variables.0"),
    (WELCOME | {"variables": ["a", "b{"]}, "variables.1"),
    (WELCOME | {"variables": "name"}, "variables"),
    (WELCOME | {"language": "english please"}, "language"),
    (SMS | {"subject": "x"}, "subject"),
    (SMS | {"body_html": "x"}, "body_html"),
    (PUSH | {"body_html": "x"}, "body_html"),
    (PUSH | {"title": None}, "title"),
    (PUSH | {"data": {"a": 1}}, "data.a"),
    (PUSH | {"data": {"google.x": "y"}}, "data.google.x"),
    (PUSH | {"data": {"from": "y"}}, "data.from"),
    (PUSH | {"data": {"k": "{{ open"}}, "data.k"),
    (PUSH | {"image_url": "https://example.com/\n"}, "image_url"),
]

HARMFUL_TEXTS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 'x'.center(999999999) }}",
    "{{ ''.__class__.__mro__ }}",
    "{% include 'other' %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
]

WRONG_ADDRESSES = {
    "/templates?cursor=%21": "cursor",
    "/templates?cursor=_w": "cursor",
    "/templates?cursor=AA": "cursor",
    "/templates?limit=0": "limit",
    "/templates?limit=101": "limit",
    "/templates?channel=pigeon": "channel",
    "/templates/bad%20id": "template_id",
    "/templates/welcome_email?language=nonsense!": "language",
    "/templates/welcome_email/versions?cursor=cDE": "cursor",
    "/templates/welcome_email/versions/0": "number",
    "/templates/welcome_email/versions/99999999999": "number",
}


async def told(client, template):
    """The status, and the fields that are named."""
    response = await client.post("/templates", json=template)
    fields = (response.json()["error"] or {"fields": []})["fields"]
    return response.status_code, [field["path"] for field in fields]


async def test_a_wrong_field_is_named(client):
    for template, path in WRONG_TEMPLATES:
        status, paths = await told(client, template)
        assert (status, path in paths) == (422, True), (template, paths)


async def test_a_syntax_error_is_told_with_its_line(client):
    broken = WELCOME | {"body_text": "Hello\n\n{% if name %}never closed"}
    response = await client.post("/templates", json=broken)
    assert response.status_code == 422
    [field] = response.json()["error"]["fields"]
    assert field["path"] == "body_text"
    assert field["problem"].startswith("line 3: ")


async def test_a_harmful_text_is_refused(client):
    for text in HARMFUL_TEXTS:
        assert await told(client, SMS | {"body_text": text}) == (422, ["body_text"]), text
    assert (await client.get("/templates/text")).status_code == 404


async def test_a_wrong_parameter_is_named(client, welcome):
    for address, path in WRONG_ADDRESSES.items():
        response = await client.get(address)
        assert response.status_code == 422, address
        assert [field["path"] for field in response.json()["error"]["fields"]] == [path]


async def test_what_is_no_json(client, welcome):
    json = {"content-type": "application/json"}
    for body, status in {"{": 400, '{"variables": %s}' % ("1" * 5000): 400, "": 422}.items():
        response = await client.post("/templates/welcome_email/render", content=body, headers=json)
        assert response.status_code == status, response.text
        assert response.json()["success"] is False


async def test_who_may(anyone, client, welcome):
    assert (await client.get("/templates")).status_code == 200
    anyone.headers["authorization"] = "Bearer read-key"
    assert (await anyone.get("/templates")).status_code == 403
    anyone.headers["authorization"] = "Bearer unknown"
    assert (await anyone.get("/templates")).status_code == 401
    del anyone.headers["authorization"]
    assert (await anyone.get("/templates")).status_code == 401
    assert (await anyone.post("/internal/templates/facts", json={})).status_code == 401
