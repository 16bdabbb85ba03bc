"""Dead letters from a Python program and on the command line, against a running suite."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from carillon_client import Carillon, CarillonError
from shared.schemas.dead_letters import JobState, LetterState
from shared.schemas.users import User
from shared.schemas.vocabulary import Reason, Status
from tests.carillon_client.conftest import Command
from tests.processes import wait_until

Inbox = Callable[[str], list[dict[str, str]]]


@pytest.fixture
def dead_user(carillon: Carillon) -> User:
    """Somebody whose mailbox does not exist, as the sandbox tells."""
    name = f"dead-{uuid4().hex[:8]}"
    return carillon.users.create(username=name, email=f"{name}@example.com")


@pytest.fixture
def failed(carillon: Carillon, dead_user: User, template: str) -> Callable[[int], list[int]]:
    """Makes dead letters of a template that nothing else uses; their ids."""

    def fail(number: int) -> list[int]:
        for count in range(number):
            carillon.send(
                user_id=dead_user.id,
                channel="email",
                template_id=template,
                variables={"name": str(count)},
            )
        wait_until(lambda: len(list(carillon.dead_letters.list(template_id=template))) == number)
        return [letter.id for letter in carillon.dead_letters.list(template_id=template)]

    return fail


def test_one_is_seen_and_redriven_to_another_address(
    carillon: Carillon, failed: Callable[[int], list[int]], template: str, inbox: Inbox
) -> None:
    [letter_id] = failed(1)
    letter = carillon.dead_letters.get(letter_id)
    assert (letter.reason, letter.state) == (Reason.RECIPIENT_REJECTED, LetterState.OPEN)
    assert letter.message is not None
    assert letter.request_id is not None
    address = f"{uuid4().hex[:8]}@example.com"
    redriven = carillon.dead_letters.redrive(
        letter_id, variables={"name": "Grace"}, recipient={"email": address}
    )
    assert redriven.generation == 2
    *_, last = carillon.follow(letter.request_id)
    assert last.status is Status.SENT
    assert [email["subject"] for email in inbox(address)] == ["Welcome Grace!"]
    with pytest.raises(CarillonError) as twice:
        carillon.dead_letters.redrive(letter_id)
    assert (twice.value.code, twice.value.status) == ("already_redriven", 409)
    assert not list(carillon.dead_letters.list(template_id=template))
    [shown] = carillon.dead_letters.list(template_id=template, state="redriven")
    assert shown.id == letter_id


def test_many_are_counted_and_redriven(
    carillon: Carillon,
    dead_user: User,
    failed: Callable[[int], list[int]],
    template: str,
    inbox: Inbox,
) -> None:
    failed(4)
    [group] = carillon.dead_letters.groups("reason", template_id=template)
    assert (group.value, group.count) == ("recipient_rejected", 4)
    wanted = {"template_id": template, "since": datetime.now(UTC) - timedelta(hours=1)}
    assert carillon.dead_letters.preview(**wanted).total == 4  # type: ignore[arg-type]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert carillon.dead_letters.preview(template_id=template, since=later).total == 0
    address = f"{uuid4().hex[:8]}@example.com"
    carillon.users.update(dead_user.id, email=address)
    job = carillon.dead_letters.start("redrive", rate_per_second=100, template_id=template)
    *_, last = carillon.dead_letters.follow(job.id)
    assert (last.state, last.done, last.skipped) == (JobState.FINISHED, 4, 0)
    assert carillon.dead_letters.job(job.id) == last
    assert job.id in [one.id for one in carillon.dead_letters.jobs(limit=5)]
    wait_until(lambda: len(inbox(address)) == 4)
    assert sorted(email["subject"] for email in inbox(address)) == [
        f"Welcome {number}!" for number in range(4)
    ]
    with pytest.raises(CarillonError) as over:
        carillon.dead_letters.cancel(job.id)
    assert over.value.status == 409


def test_the_command_line_lists_shows_and_redrives_one(
    command: Command, failed: Callable[[int], list[int]], template: str, inbox: Inbox
) -> None:
    [letter_id] = failed(1)
    listed = command("dead-letters", "list", "--template", template)
    assert str(letter_id) in listed.output
    assert "recipient_rejected" in listed.output
    counted = command("dead-letters", "list", "--template", template, "--group-by", "reason")
    assert "The provider refuses this recipient for good." in counted.output
    shown = command("dead-letters", "show", letter_id)
    assert "name=0" in shown.output
    assert json.loads(command("dead-letters", "show", letter_id, "--json").stdout)["id"] == (
        letter_id
    )
    address = f"{uuid4().hex[:8]}@example.com"
    words = ("dead-letters", "redrive", letter_id, "--var", "name=Grace", "--email", address)
    redriven = command(*words)
    assert redriven.exit_code == 0, redriven.output
    assert "✓ Queued again as generation 2" in redriven.output
    wait_until(lambda: [email["subject"] for email in inbox(address)] == ["Welcome Grace!"])
    again = command(*words)
    assert again.exit_code == 1
    assert "It was redriven before." in again.stderr


def test_the_command_line_redrives_and_discards_many(
    command: Command, carillon: Carillon, failed: Callable[[int], list[int]], template: str
) -> None:
    ids = failed(3)
    words = ("dead-letters", "discard", "--template", template)
    assert "3 dead letters fit" in command(*words, "--dry-run").output
    assert command(*words, stdin="n\n").exit_code == 1
    assert len(list(carillon.dead_letters.list(template_id=template))) == 3
    assert command("dead-letters", "discard", ids[0]).exit_code == 0
    redriven = command("dead-letters", "redrive", "--template", template, "--yes")
    assert redriven.exit_code == 0, redriven.output
    assert "✓ 2 redriven, 0 skipped." in redriven.output
    # Their mailbox still does not exist.
    wait_until(lambda: len(list(carillon.dead_letters.list(template_id=template))) == 2)
    job = json.loads(command(*words, "--yes", "--json").stdout)
    assert (job["done"], job["state"]) == (2, "finished")
    assert f"{job['id']} " in command("dead-letters", "jobs").output
    assert "✓ 2 discarded, 0 skipped." in command("dead-letters", "jobs", job["id"]).output
    assert command("dead-letters", "cancel", job["id"]).exit_code == 1
    assert "None." in command("dead-letters", "list", "--template", template).output


@pytest.mark.parametrize(
    "words",
    [
        ("redrive",),
        ("discard",),
        ("redrive", "1", "--all"),
        ("discard", "1", "--reason", "internal_error"),
        ("redrive", "--all", "--var", "name=Ada"),
        ("redrive", "--all", "--email", "ada@example.com"),
        ("redrive", "--reason", "bad_luck"),
        ("list", "--since", "yesterday"),
    ],
)
def test_a_wrong_use_says_what_is_right(command: Command, words: tuple[str, ...]) -> None:
    result = command("dead-letters", *words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
