"""What a Python program gets from the client, against a running suite."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from carillon_client import Carillon, CarillonError
from shared.schemas.users import BulkResult, User
from shared.schemas.vocabulary import Channel, Priority, Reason, Status
from tests.carillon_client.conftest import Suite

Inbox = Callable[[str], list[dict[str, str]]]


def test_a_sent_email_arrives(carillon: Carillon, user: User, template: str, inbox: Inbox) -> None:
    expiry = datetime.now(UTC) + timedelta(hours=1)
    accepted = carillon.send(
        user_id=user.id,
        channel="email",
        template_id=template,
        variables={"name": "Ada"},
        priority="high",
        category="greeting",
        metadata={"order": 7},
        expires_at=expiry,
    )
    *_, last = carillon.follow(accepted.request_id)
    assert last.status is Status.SENT
    assert (last.priority, last.category, last.metadata) == (
        Priority.HIGH,
        "greeting",
        {"order": 7},
    )
    assert abs(last.expires_at - expiry) < timedelta(milliseconds=1)
    assert last.timeline[0].status is Status.QUEUED
    [email] = inbox(user.email)
    assert email["subject"] == "Welcome Ada!"
    assert carillon.notification(accepted.request_id) == last


def test_a_channel_switched_off_is_told_as_the_reason(
    carillon: Carillon, user: User, template: str
) -> None:
    changed = carillon.users.change_preferences(user.id, email_enabled=False)
    assert (changed.email_enabled, changed.effective_at) == (False, None)
    accepted = carillon.send(
        user_id=user.id, channel="email", template_id=template, variables={"name": "Ada"}
    )
    *_, last = carillon.follow(accepted.request_id)
    assert (last.status, last.reason) == (Status.SKIPPED, Reason.CHANNEL_DISABLED)


def test_the_same_idempotency_key_is_the_same_notification(
    carillon: Carillon, user: User, template: str
) -> None:
    def send(name: str) -> object:
        return carillon.send(
            user_id=user.id,
            channel="email",
            template_id=template,
            variables={"name": name},
            idempotency_key=f"order {user.id}",
        ).request_id

    assert send("Ada") == send("Ada")
    with pytest.raises(CarillonError) as refused:
        send("Grace")
    assert (refused.value.code, refused.value.status) == ("idempotency_key_reused", 422)


def test_lists_are_followed_over_their_pages(carillon: Carillon, user: User, template: str) -> None:
    """More than one page of a hundred, newest first, no more than were asked for."""
    people = [
        {"external_id": f"{user.username}-{n}", "username": f"{user.username}-{n}",
         "email": f"{user.username}-{n}@example.com"}
        for n in range(120)
    ]  # fmt: skip
    answer = carillon.users.bulk(people)  # type: ignore[arg-type]
    assert (answer.created, answer.updated, answer.failed) == (120, 0, 0)
    ids = [person.id for person in carillon.users.list()]
    assert {entry.user_id for entry in answer.results} <= set(ids)
    assert ids == sorted(set(ids))
    assert [person.id for person in carillon.users.list(limit=101)] == ids[:101]
    assert list(carillon.users.list(limit=0)) == []
    sent = [
        carillon.send(
            user_id=user.id, channel="email", template_id=template, variables={"name": str(n)}
        ).request_id
        for n in range(3)
    ]
    listed = [found.request_id for found in carillon.notifications(user_id=user.id)]
    assert listed == sent[::-1]
    assert not list(carillon.notifications(user_id=user.id, channel=Channel.SMS))


def test_a_person_from_first_to_last(carillon: Carillon) -> None:
    name = f"grace-{uuid4().hex[:8]}"
    made = carillon.users.create(
        username=name,
        email=f"{name}@example.com",
        password="correct horse battery",
        phone_number="+1 415 555 2671",
        preferences={"language": "de"},
    )
    assert made.phone_number == "+14155552671"
    assert carillon.users.preferences(made.id).language == "de"
    changed = carillon.users.update(made.id, phone_number=None, external_id="crm-" + name)
    assert (changed.phone_number, changed.email) == (None, made.email)
    assert [u.id for u in carillon.users.list(external_id="crm-" + name)] == [made.id]
    device = carillon.users.add_device(made.id, f"token-{name}")
    assert carillon.users.preferences(made.id).push_token == f"token-{name}"
    carillon.users.remove_device(made.id, device.id)
    assert list(carillon.users.devices(made.id)) == []
    carillon.users.delete(made.id)
    with pytest.raises(CarillonError) as gone:
        carillon.users.get(made.id)
    assert (gone.value.code, gone.value.status) == ("not_found", 404)


def test_one_bad_entry_of_a_bulk_fails_alone(carillon: Carillon, user: User) -> None:
    good = f"bulk-{user.username}"
    answer = carillon.users.bulk(
        [
            {"external_id": good, "username": good, "email": f"{good}@example.com"},
            {"external_id": f"{good}-2", "username": good + "-2", "email": "not an address"},
        ]
    )
    assert [entry.result for entry in answer.results] == [BulkResult.CREATED, BulkResult.FAILED]
    assert answer.results[1].fields[0].path == "email"


def test_a_template_from_first_to_last(carillon: Carillon, template: str) -> None:
    assert carillon.templates.get(template).subject == "Welcome {{name}}!"
    second = carillon.templates.update(template, subject="Hello {{name}}!")
    assert second.version == 2
    assert [v.version for v in carillon.templates.versions(template)] == [2, 1]
    assert carillon.templates.version(template, 1).subject == "Welcome {{name}}!"
    assert carillon.templates.render(template, {"name": "Ada"}).subject == "Hello Ada!"
    assert carillon.templates.render(template, {"name": "Ada"}, version=1).subject == "Welcome Ada!"
    assert template in [t.template_id for t in carillon.templates.list(channel="email")]
    assert not carillon.templates.delete(template).active
    assert template in [t.template_id for t in carillon.templates.list(active=False)]
    assert carillon.templates.update(template, active=True).active


def test_a_key_works_until_it_is_revoked(carillon: Carillon, suite: Suite) -> None:
    made = carillon.api_keys.create("reader", ["read"], mode="test")
    assert made.id in [key.id for key in carillon.api_keys.list()]
    with Carillon(suite.url, made.key) as reader:
        list(reader.notifications(limit=1))
        with pytest.raises(CarillonError) as lacking:
            list(reader.users.list(limit=1))
        assert (lacking.value.code, lacking.value.status) == ("forbidden", 403)
        assert carillon.api_keys.revoke(made.id).revoked_at
        with pytest.raises(CarillonError) as revoked:
            list(reader.notifications(limit=1))
        assert (revoked.value.code, revoked.value.status) == ("unauthenticated", 401)


def test_a_refusal_names_each_field(carillon: Carillon, user: User, template: str) -> None:
    with pytest.raises(CarillonError) as refused:
        carillon.send(user_id=user.id, channel="email", template_id=template)
    error = refused.value
    assert (error.code, error.status) == ("validation_failed", 422)
    assert [field.path for field in error.fields] == ["variables.name"]
    assert "variables.name" in str(error)


@pytest.mark.parametrize("variables", [{"name": "\ud800"}, {"name": object()}])
def test_what_json_cannot_hold_is_not_sent(
    carillon: Carillon, variables: dict[str, object]
) -> None:
    with pytest.raises(CarillonError) as refused:
        carillon.send(user_id=1, channel="email", template_id="any", variables=variables)
    assert (refused.value.code, refused.value.status) == ("unwritable_request", None)


@pytest.mark.parametrize(
    ("address", "key"),
    [("", None), ("127.0.0.1:8000", None), ("ftp://here", None), ("http://", None),
     ("http://here", "line\nbreak"), ("http://here", "kéy")],
)  # fmt: skip
def test_a_wrong_address_or_key_is_refused_at_once(address: str, key: str | None) -> None:
    with pytest.raises(ValueError, match=r"address|key"):
        Carillon(address, key)


def test_somebody_else_at_the_address_is_told(suite: Suite) -> None:
    """The sandbox answers HTTP too, in other words."""
    with Carillon(suite.sandbox_url, "any") as carillon, pytest.raises(CarillonError) as strange:
        carillon.notification(uuid4())
    assert strange.value.code == "unreadable_answer"
    assert suite.sandbox_url in str(strange.value)
