"""A redrive is a new generation of the same notification, once, and only while it stands failed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.api_gateway.gateway import NOWHERE
from tests.api_gateway.office import office_of, outcome
from tests.shared.broker import until


async def test_it_is_on_its_way_again(office):
    message = await office.accepted(
        variables={"name": "Ada"}, metadata={"order": 7}, priority="normal"
    )
    letter_id = await office.fail(message, attempt=4)
    before = datetime.now(UTC)
    answer = await office.redrive(letter_id)
    assert answer.status_code == 202, answer.text
    told = answer.json()["data"]
    assert (told["request_id"], told["generation"]) == (str(message.id), 2)

    again = await office.in_lane(str(message.id), generation=2)
    assert (again.hop, again.attempt, again.waits, again.devices) == (1, 1, 0, None)
    assert again.template_version is None, "the newest is resolved while sending"
    lifetime = again.expires_at - again.created_at
    assert abs(lifetime - (message.expires_at - message.created_at)) < timedelta(seconds=1)
    assert again.created_at >= before
    unchanged = {"id", "user_id", "variables", "channel", "priority", "correlation_id", "mode"}
    assert again.model_dump(include=unchanged) == message.model_dump(include=unchanged)

    shown = await office.get(f"/notifications/{message.id}")
    assert (shown["status"], shown["reason"], shown["provider"]) == ("queued", None, None)
    assert datetime.fromisoformat(shown["expires_at"]) == again.expires_at
    assert datetime.fromisoformat(shown["redriven_at"]) == again.created_at
    assert shown["metadata"] == {"order": 7}
    last = shown["timeline"][-1]
    assert (last["status"], last["detail"]) == ("queued", "redriven")
    letter = await office.get(f"/dead-letters/{letter_id}")
    assert letter["state"] == "redriven"
    assert datetime.fromisoformat(letter["resolved_at"]) >= before


async def test_it_may_fail_and_be_redriven_once_more(office):
    message = await office.accepted(expires_at=f"{datetime.now(UTC) + timedelta(hours=2)}")
    lifetime = message.expires_at - message.created_at
    for generation in (1, 2, 3):
        letter_id = await office.fail(message)
        assert (await office.redrive(letter_id)).status_code == 202
        message = await office.in_lane(str(message.id), generation=generation + 1)
        assert abs(message.expires_at - message.created_at - lifetime) < timedelta(seconds=1)
    found = await office.get("/dead-letters", user_id=message.user_id, state="redriven")
    assert [one["generation"] for one in found] == [3, 2, 1]


async def test_invariant_two_at_once_make_one_generation(office):
    """Invariant: a letter is redriven once, however many ask at the same moment."""
    for _ in range(5):
        message = await office.accepted()
        letter_id = await office.fail(message)
        answers = await asyncio.gather(*(office.redrive(letter_id) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
        again = await office.in_lane(str(message.id), generation=2)
        assert again.generation == 2
        shown = await office.get(f"/notifications/{message.id}")
        assert [e["detail"] for e in shown["timeline"]].count("redriven") == 1


async def test_what_went_out_meanwhile_is_not_sent_again(office):
    """Invariant: a redrive never resends what was already sent."""
    for status in ("delivered", "complained", "sent"):
        message = await office.accepted()
        letter_id = await office.fail(message)
        late = outcome(message, status=status, reason=None, provider_message_id="m1")
        await office.report(late)

        async def arrived(message=message, status=status):
            shown = await office.get(f"/notifications/{message.id}")
            return status in [entry["status"] for entry in shown["timeline"]]

        await until(arrived)
        answer = await office.redrive(letter_id)
        assert answer.status_code == 409, status
        assert answer.json()["error"]["code"] == "already_sent"
        assert (await office.get(f"/dead-letters/{letter_id}"))["state"] == "open"
        assert (await office.client.post(f"/dead-letters/{letter_id}/discard")).status_code == 200


async def test_of_several_devices_those_reached_before_are_left_out(office):
    message = await office.accepted("push.queue", channel="push", template_id="ping")
    partly = message.model_copy(update={"devices": ("2", "3"), "reached": True, "hop": 2})
    letter_id = await office.fail(partly)
    assert (await office.redrive(letter_id)).status_code == 202
    again = await office.in_lane(str(message.id), "push.queue", generation=2)
    assert (again.devices, again.reached) == (("2", "3"), True)


async def test_resolved_ones_say_what_became_of_them(office):
    redriven, discarded = [await office.fail(await office.accepted()) for _ in range(2)]
    assert (await office.redrive(redriven)).status_code == 202
    assert (await office.client.post(f"/dead-letters/{discarded}/discard")).status_code == 200
    for letter_id, code in ((redriven, "already_redriven"), (discarded, "discarded")):
        for action in ("redrive", "discard"):
            answer = await office.client.post(f"/dead-letters/{letter_id}/{action}")
            assert answer.status_code == 409
            assert answer.json()["error"]["code"] == code
    shown = await office.get(f"/dead-letters/{discarded}")
    assert shown["state"] == "discarded"
    assert (await office.get(f"/notifications/{shown['request_id']}"))["status"] == "failed"


async def test_an_unreadable_one_can_only_be_discarded(office):
    await office.publish(b"noise", message_id="only-discarded")
    [row] = await office.kept("amqp_message_id = 'only-discarded'")
    answer = await office.redrive(row["id"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "unreadable")
    assert (await office.client.post(f"/dead-letters/{row['id']}/discard")).status_code == 200


async def test_a_notification_that_is_gone_is_told(office):
    message = await office.accepted()
    letter_id = await office.fail(message)
    await office.database.execute("DELETE FROM notifications WHERE id = $1", message.id)
    answer = await office.redrive(letter_id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "notification_missing")


async def test_a_generation_that_moved_on_is_told(office):
    message = await office.accepted()
    letter_id = await office.fail(message)
    other = outcome(message, generation=2, status="processing", reason=None)
    await office.report(other)

    async def moved():
        return (await office.get(f"/notifications/{message.id}"))["status"] == "processing"

    await until(moved)
    answer = await office.redrive(letter_id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "moved_on")


async def test_edited_variables_take_the_place_of_stored_ones(office):
    stored = {"name": "Ada", "title": "Countess"}
    message = await office.accepted(template_id="welcome_email", variables=stored)
    letter_id = await office.fail(message, reason="render_error")
    assert (await office.redrive(letter_id, variables={"name": "Grace"})).status_code == 202
    again = await office.in_lane(str(message.id), generation=2)
    assert again.variables == {"name": "Grace", "title": "Countess"}
    shown = await office.get(f"/notifications/{message.id}")
    assert shown["variables"] == again.variables
    assert shown["timeline"][-1]["detail"] == "redriven with other variables (name)"


async def test_another_recipient_is_used_and_shown(office):
    message = await office.accepted()
    letter_id = await office.fail(message, reason="recipient_rejected")
    answer = await office.redrive(letter_id, recipient={"email": "Ada@EXAMPLE.com"})
    assert answer.status_code == 202, answer.text
    again = await office.in_lane(str(message.id), generation=2)
    assert again.recipient is not None
    assert again.recipient.email == "Ada@example.com"
    shown = await office.get(f"/notifications/{message.id}")
    assert shown["recipient"] == {"email": "Ada@example.com", "phone": None, "push": None}
    assert shown["timeline"][-1]["detail"] == "redriven to another address"
    # It stays with the notification, until another one is given.
    letter_id = await office.fail(again)
    assert (await office.redrive(letter_id)).status_code == 202
    assert (await office.in_lane(str(message.id), generation=3)).recipient == again.recipient


async def test_another_device_is_reached_whatever_was_reached_before(office):
    message = await office.accepted("push.queue", channel="push", template_id="ping")
    partly = message.model_copy(update={"devices": ("2", "3"), "reached": True})
    letter_id = await office.fail(partly)
    push = {"kind": "fcm_token", "value": "another-phone"}
    assert (await office.redrive(letter_id, recipient={"push": push})).status_code == 202
    again = await office.in_lane(str(message.id), "push.queue", generation=2)
    assert (again.devices, again.reached) == (None, False)
    assert again.recipient is not None
    assert again.recipient.push is not None
    assert again.recipient.push.value == "another-phone"


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        ({"variables": {"title": "x\r\nBcc: y"}}, "variables.title"),
        ({"variables": {"name": "x\ny"}}, "variables.name"),
        ({"variables": None}, "variables"),
        ({"variables": []}, "variables"),
        ({"recipient": {}}, "recipient"),
        ({"recipient": {"email": None}}, "recipient.email"),
        ({"recipient": {"email": "nobody"}}, "recipient.email"),
        ({"recipient": {"email": "a@example.com", "phone": "+14155552671"}}, "recipient"),
        ({"recipient": {"phone": "+14155552671"}}, "recipient"),
        ({"recipient": {"push": {"value": "two words"}}}, "recipient.push.value"),
        ({"recipient": {"push": {"value": "t", "kind": "pigeon"}}}, "recipient.push.kind"),
        ({"recipient": {"fax": "1"}}, "recipient.fax"),
        ({"reason": "none"}, "reason"),
    ],
)
async def test_a_wrong_edit_names_its_field_and_redrives_nothing(office, edit, path):
    message = await office.accepted(template_id="welcome_email", variables={"name": "Ada"})
    letter_id = await office.fail(message)
    answer = await office.redrive(letter_id, **edit)
    assert answer.status_code == 422, answer.text
    assert [field["path"] for field in answer.json()["error"]["fields"]] == [path]
    assert (await office.get(f"/dead-letters/{letter_id}"))["state"] == "open"


async def test_a_variable_that_the_template_now_needs_is_named(office):
    message = await office.accepted(template_id="bells")
    renamed = message.model_copy(update={"template_id": "welcome_email"})
    letter_id = await office.fail(renamed, reason="missing_variable")
    answer = await office.redrive(letter_id, variables={"title": "Dr"})
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"] == [{"path": "variables.name", "problem": "is missing"}]
    assert (await office.redrive(letter_id, variables={"name": "Ada"})).status_code == 202


async def test_neither_the_template_service_nor_a_rate_limit_is_needed(start, own_environment):
    limit = {"RATE_LIMIT_PER_USER": "1", "RATE_LIMIT_WINDOW": "3600"}
    gateway = await start(TEMPLATE_SERVICE_URL=NOWHERE, **limit)
    async with office_of(gateway, own_environment) as office:
        message = await office.accepted()
        for generation in (2, 3):
            letter_id = await office.fail(message)
            answer = await office.redrive(letter_id, variables={"name": "x\ny"})
            assert answer.status_code == 202, answer.text
            message = await office.in_lane(str(message.id), generation=generation)
        assert message.variables == {"name": "x\ny"}, "accepted unseen"


async def test_secrets_must_be_given_anew(office):
    """Invariant: a secret is sent again only with the value that whoever redrives gives."""
    given = {"code": "ZEBRA-493817", "link": "https://x/493817", "name": "Ada"}
    message = await office.accepted(template_id="code", variables=given)
    letter_id = await office.fail(message)
    kept = (await office.get(f"/dead-letters/{letter_id}"))["message"]["variables"]
    assert kept == {"code": "***", "link": "***", "name": "Ada"}
    for edit, missing in (
        ({}, ["code", "link"]),
        ({"variables": {"code": "NEW-1"}}, ["link"]),
        ({"variables": {"code": "NEW-1", "link": None}}, ["link"]),
    ):
        answer = await office.redrive(letter_id, **edit)
        assert answer.status_code == 422, edit
        error = answer.json()["error"]
        assert error["code"] == "variables_needed"
        assert [one["path"] for one in error["fields"]] == [f"variables.{n}" for n in missing]
    secrets = {"code": "NEW-1", "link": "https://x/new"}
    assert (await office.redrive(letter_id, variables=secrets)).status_code == 202
    again = await office.in_lane(str(message.id), generation=2)
    assert again.variables == {**secrets, "name": "Ada"}
    assert again.sensitive == ("code", "link")
    shown = await office.get(f"/notifications/{message.id}")
    assert shown["variables"] == {"code": "***", "link": "***", "name": "Ada"}


async def test_what_the_template_calls_a_secret_now_is_one(office):
    message = await office.accepted(template_id="bells", variables={"code": "ZEBRA"})
    renamed = message.model_copy(update={"template_id": "code"})
    letter_id = await office.fail(renamed)
    assert (await office.redrive(letter_id, variables={"code": "NEW-1"})).status_code == 202
    assert (await office.in_lane(str(message.id), generation=2)).sensitive == ("code", "link")
    shown = await office.get(f"/notifications/{message.id}")
    assert shown["variables"] == {"code": "***"}
