"""Secrets are shown to nobody, and with the final status they are gone from the tables."""

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from api_gateway.accept.order import fingerprint_key
from api_gateway.dead_letters.bodies import kept, kept_as_found
from shared.schemas.vocabulary import Status
from shared.schemas.wire import NotificationMessage, OutcomeBatch
from tests.api_gateway.gateway import NOWHERE, request
from tests.api_gateway.ledgers import add_notification, migrated, record, report, row_of
from tests.shared.broker import notification, until

users = count(70_000)

CODE = "ZEBRA-493817"
GIVEN = {"code": CODE, "link": {"href": [CODE]}, "name": "Ada"}
SHOWN = {"code": "***", "link": "***", "name": "Ada"}
LEFT = {"code": None, "link": None, "name": "Ada"}
NAMES = ("code", "link")

FINAL = sorted(status for status in Status if status.is_final)


@pytest.fixture
async def tables(postgres_url):
    async with migrated(postgres_url) as database:
        yield database


# -- accept ---------------------------------------------------------------------------------------


async def sent(client, **changes):
    body = request(user_id=next(users), template_id="code", variables=GIVEN, **changes)
    answer = await client.post("/notifications/send", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]["request_id"]


async def taken(broker, request_id):
    while (found := await broker.take("email.queue")).headers["notification-id"] != request_id:
        """Another test's."""
    return NotificationMessage.model_validate_json(found.body)


async def test_a_secret_is_shown_as_a_mask_and_travels_with_its_name(client, broker):
    request_id = await sent(client)
    shown = (await client.get(f"/notifications/{request_id}")).json()["data"]
    assert shown["variables"] == SHOWN
    message = await taken(broker, request_id)
    assert (message.variables, message.sensitive) == (GIVEN, NAMES)


async def test_of_what_was_accepted_unseen_everything_may_be_a_secret(start, own_environment):
    gateway = await start(TEMPLATE_SERVICE_URL=NOWHERE)
    async with gateway.client() as client:
        request_id = await sent(client)
        shown = (await client.get(f"/notifications/{request_id}")).json()["data"]
    assert shown["template_version"] is None
    assert shown["variables"] == dict.fromkeys(GIVEN, "***")


async def test_no_refusal_repeats_what_it_was_given(client, gateway):
    """Invariant: an answer that says what is wrong names fields and quotes no value."""
    wrong = [
        request(template_id="code", variables={"cod": CODE}),
        request(template_id="code", variables={"code": f"{CODE}\n"}),
        request(template_id="code", variables=CODE),
        request(template_id="code", variables=[GIVEN]),
        request(template_id="code", variables=GIVEN, user_id=CODE),
        request(template_id="code", variables=GIVEN, priority=CODE),
        request(template_id="code", variables=GIVEN, expires_at=CODE),
        request(template_id=CODE + " ", variables=GIVEN),
        request(template_id="code", variables=GIVEN | {"name": "\x00"}),
    ]
    for body in wrong:
        answer = await client.post("/notifications/send", json=body)
        assert answer.status_code == 422, body
        assert "493817" not in answer.text
    broken = json.dumps(request(variables=GIVEN))[:-1].encode()
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/notifications/send", content=broken, headers=headers)
    assert answer.status_code == 400
    assert "493817" not in answer.text
    assert "493817" not in gateway.log()


def test_a_fingerprint_cannot_be_made_without_the_secret_of_the_installation():
    one, other = (fingerprint_key(SecretStr(f"internal-token-{n}")) for n in range(2))
    assert one == fingerprint_key(SecretStr("internal-token-0"))
    assert one != other


# -- the final status -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", FINAL)
async def test_with_the_final_status_secrets_are_gone(tables, status):
    notification_id = await add_notification(tables, GIVEN, NAMES)
    await record(tables, [report(notification_id, "retrying", sensitive=NAMES)])
    assert (await row_of(tables, notification_id))["variables"] == GIVEN
    await record(tables, [report(notification_id, status, hop=2, sensitive=NAMES)])
    row = await row_of(tables, notification_id)
    assert (row["status"], row["variables"], row["sensitive"]) == (status, LEFT, list(NAMES))


@pytest.mark.parametrize(
    ("known", "told", "expected"),
    [
        (None, None, dict.fromkeys(GIVEN)),
        (None, (), GIVEN),
        (None, ("code",), GIVEN | {"code": None}),
        ((), None, GIVEN),
        ((), NAMES, LEFT),
        (("code",), ("link",), LEFT),
        (("code", "link"), ("link",), LEFT),
        (("code", "link"), None, LEFT),
        (("code", "link"), (), LEFT),
    ],
)
async def test_names_come_from_accept_and_from_the_worker(tables, known, told, expected):
    notification_id = await add_notification(tables, GIVEN, known)
    await record(tables, [report(notification_id, "sent", sensitive=told)])
    row = await row_of(tables, notification_id)
    assert row["variables"] == expected
    names = None if known is None and told is None else sorted({*(known or ()), *(told or ())})
    assert (row["sensitive"] if row["sensitive"] is None else sorted(row["sensitive"])) == names


async def test_names_that_came_with_any_report_of_a_gathering_count(tables):
    notification_id = await add_notification(tables, GIVEN, None)
    learned = report(notification_id, "retrying", sensitive=NAMES)
    await record(tables, [report(notification_id, "sent", hop=2), learned])
    assert (await row_of(tables, notification_id))["variables"] == LEFT


async def test_what_has_no_secrets_keeps_its_variables(tables):
    notification_id = await add_notification(tables, GIVEN)
    await record(tables, [report(notification_id, "sent", sensitive=())])
    assert (await row_of(tables, notification_id))["variables"] == GIVEN


async def test_a_late_report_brings_nothing_back(tables):
    notification_id = await add_notification(tables, GIVEN, NAMES)
    await record(tables, [report(notification_id, "sent", hop=3)])
    await record(tables, [report(notification_id, "retrying", sensitive=())])
    assert (await row_of(tables, notification_id))["variables"] == LEFT


# -- dead letters ---------------------------------------------------------------------------------


async def test_what_rabbitmq_gave_up_is_kept_without_its_secrets(client, broker, database):
    request_id = await sent(client)
    message = await taken(broker, request_id)
    await broker.put("failed", message.model_dump_json().encode())
    query = "SELECT body FROM dead_letters WHERE notification_id = $1"

    async def is_kept():
        return await database.fetchval(query, message.id) is not None

    await until(is_kept)
    body = await database.fetchval(query, message.id)
    assert NotificationMessage.model_validate_json(body).variables == LEFT
    row = await database.fetchrow("SELECT * FROM notifications WHERE id = $1", message.id)
    assert (row["status"], json.loads(row["variables"])) == ("failed", LEFT)


def test_a_body_without_secrets_is_kept_byte_for_byte():
    body = b'  {"a":  1}'
    for names in ((), ("other",)):
        message = notification(variables=GIVEN, sensitive=names)
        assert kept(body, message) is body


def test_outcomes_that_nobody_can_read_are_kept_without_secrets():
    onward = notification(variables=GIVEN, sensitive=NAMES)
    unseen = notification(variables=GIVEN, sensitive=None)
    waiting = [
        report(message.id, "deferred", onward=message, detail="x") for message in (onward, unseen)
    ]
    body = OutcomeBatch(reports=waiting).model_dump_json().encode()
    found = kept_as_found(body)
    assert CODE.encode() not in found
    first, second = OutcomeBatch.model_validate_json(found).reports
    assert first.onward.variables == LEFT
    assert second.onward.variables == dict.fromkeys(GIVEN)


@given(st.binary() | st.text().map(str.encode))
def test_noise_is_kept_byte_for_byte(noise):
    assert kept_as_found(noise) is noise


@pytest.mark.parametrize("noise", [b"[" * 100_000, b'{"variables": {"a": "b"}}', b"[1, {}]"])
def test_json_that_is_no_message_is_kept_byte_for_byte(noise):
    assert kept_as_found(noise) is noise
