"""Lost answers, refusals and silence."""

import socket
from uuid import uuid4

import pytest

from carillon_client import Carillon, CarillonError
from shared.schemas.users import User
from tests.carillon_client.conftest import ADMIN_KEY, Suite
from tests.carillon_client.door import door_before


def test_a_lost_answer_sends_nothing_twice(
    suite: Suite, carillon: Carillon, user: User, template: str
) -> None:
    """Invariant: however often a send is repeated by the client, it is one notification."""
    with door_before(suite.url, lost=2, refused=1) as door, Carillon(door.url, ADMIN_KEY) as caller:
        accepted = caller.send(
            user_id=user.id, channel="email", template_id=template, variables={"name": "Ada"}
        )
    assert len(door.calls) == 4
    assert len({key for _, key in door.calls}) == 1
    found = [n.request_id for n in carillon.notifications(user_id=user.id)]
    assert found == [accepted.request_id]


def test_the_idempotency_key_is_told_when_no_answer_ever_comes(
    suite: Suite, user: User, template: str
) -> None:
    with (
        door_before(suite.url, lost=9) as door,
        Carillon(door.url, ADMIN_KEY, attempts=2) as caller,
        pytest.raises(CarillonError) as lost,
    ):
        caller.send(
            user_id=user.id, channel="email", template_id=template, variables={"name": "Ada"}
        )
    assert (lost.value.code, lost.value.status) == ("answer_lost", None)
    assert [key for _, key in door.calls if key in str(lost.value)] == [door.calls[0][1]] * 2


def test_reads_are_repeated(suite: Suite, user: User) -> None:
    with door_before(suite.url, lost=1, refused=1) as door, Carillon(door.url, ADMIN_KEY) as caller:
        assert caller.users.get(user.id).id == user.id
    assert len(door.calls) == 3


def test_a_write_without_an_idempotency_key_is_asked_once(suite: Suite) -> None:
    """Invariant: what may have happened is not asked for again, unless a repeat is harmless."""
    name = f"once-{uuid4().hex[:8]}"
    with (
        door_before(suite.url, lost=1) as door,
        Carillon(door.url, ADMIN_KEY) as caller,
        pytest.raises(CarillonError) as lost,
    ):
        caller.users.create(username=name, email=f"{name}@example.com")
    assert lost.value.code == "answer_lost"
    assert len(door.calls) == 1


def test_a_refusal_is_not_repeated(suite: Suite) -> None:
    with (
        door_before(suite.url) as door,
        Carillon(door.url, "a-key-that-nobody-made") as caller,
        pytest.raises(CarillonError) as refused,
    ):
        caller.send(user_id=1, channel="email", template_id="any")
    assert refused.value.status == 401
    assert len(door.calls) == 1


def test_nobody_at_the_address_is_told_after_a_few_tries() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Carillon(url, "any") as caller, pytest.raises(CarillonError) as silent:
            caller.users.create(username="ada", email="ada@example.com")
    assert (silent.value.code, silent.value.status) == ("unreachable", None)
    assert url in str(silent.value)
