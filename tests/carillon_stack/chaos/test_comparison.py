"""A run's account finds what went wrong: each kind of wrong is made up here, and found."""

from uuid import uuid4

import pytest

from carillon_stack.chaos.causes import Cause
from carillon_stack.chaos.schedule import Kind
from shared.schemas.vocabulary import Reason
from tests.carillon_stack.chaos.world import World


def whats(findings) -> list[str]:
    return [finding.what for finding in findings]


def test_what_arrived_once_is_delivered_and_nothing_else():
    world = World()
    world.received(10.1)
    account = world.account()
    assert (account.accepted, account.delivered) == (1, 1)
    assert (account.lost, account.repeats, account.contradictions) == ([], [], [])


@pytest.mark.parametrize("status", ["queued", "deferred", "retrying"])
def test_what_neither_arrived_nor_ended_is_lost(status: str):
    world = World()
    world.stands(status, attempts=0)
    assert whats(world.account().lost) == ["lost"]


def test_what_the_database_does_not_know_is_lost():
    world = World()
    world.notification = None
    account = world.account()
    assert account.lost[0].detail == "not in the database, not received"


def test_what_is_called_sent_and_never_came_is_lost_and_a_contradiction():
    account = World().account()
    assert whats(account.lost) == ["lost"]
    assert "sent, not received" in whats(account.contradictions)


@pytest.mark.parametrize(
    ("reason", "lost"),
    [("retries_exhausted", 0), ("outcome_unknown", 0), ("internal_error", 1)],
)
def test_a_failure_for_a_rightful_reason_is_no_loss(reason: str, lost: int):
    world = World()
    world.stands("failed", reason)
    account = world.account()
    assert len(account.lost) == lost
    assert account.dead_lettered == {reason: 1}


@pytest.mark.parametrize(
    ("status", "reason", "letter"),
    [
        ("failed", "retries_exhausted", None),
        ("failed", "retries_exhausted", Reason.OUTCOME_UNKNOWN),
        ("sent", None, Reason.RETRIES_EXHAUSTED),
    ],
)
def test_a_status_and_a_dead_letter_that_disagree_are_a_contradiction(
    status: str, reason: str | None, letter: Reason | None
):
    world = World()
    if status == "sent":
        world.received(10.1)
    world.stands(status, reason)
    world.letter = letter
    assert whats(world.account().contradictions) == ["at odds with the dead letters"]


def test_one_device_of_two_that_got_nothing_is_a_loss():
    world = World("push")
    world.received(10.1, at="phone")
    assert whats(world.account().lost) == ["lost"]
    world.received(10.1, at="tablet")
    assert not world.account().lost


def test_what_arrived_though_its_status_denies_it_is_a_contradiction():
    world = World()
    world.received(10.1)
    world.stands("failed", "retries_exhausted", attempts=4)
    assert whats(world.account().contradictions) == ["received, and the status denies it"]
    world.broken(Kind.PROVIDER, "email", 9, 12, "disconnect_after_accept")
    assert not world.account().contradictions


def test_two_reports_of_sending_what_came_once_are_a_contradiction():
    world = World()
    world.received(10.1)
    world.stands("sent", attempts=2, timeline=["sent", "sent"])
    wanted = ["reported as sent more often than received"]
    assert whats(world.account().contradictions) == wanted


def test_a_notification_that_no_client_knows_is_a_contradiction():
    world = World()
    world.received(10.1)
    world.sent.request_id = str(uuid4())
    assert "known to no client" in whats(world.account().contradictions)


def test_a_repeat_under_another_mark_is_counted():
    world = World()
    world.received(10.1, mark="<1@x>")
    world.received(12.1, mark="<2@x>")
    account = world.account()
    assert (account.other_mark, account.unmarked) == (1, 0)


def test_a_repeated_text_message_is_counted_for_it_has_no_mark():
    world = World("sms")
    world.received(10.1, 12.1, mark=None)
    account = world.account()
    assert (account.other_mark, account.unmarked) == (0, 1)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ((Kind.PROVIDER, "email", 9, 12, "disconnect_after_accept"), Cause.AMBIGUOUS),
        ((Kind.KILL, "sandbox", 10, 12), Cause.AMBIGUOUS),
        ((Kind.PROVIDER, "push", 9, 12, "disconnect_after_accept"), Cause.UNEXPLAINED),
        ((Kind.PROVIDER, "email", 9, 12, "slow"), Cause.UNEXPLAINED),
        ((Kind.KILL, "email_service", 10.2, 12), Cause.DEATH),
        ((Kind.KILL, "email_service", 14, 15), Cause.UNEXPLAINED),
        ((Kind.KILL, "push_service", 10.2, 12), Cause.UNEXPLAINED),
        ((Kind.STOP, "redis", 10.2, 12), Cause.CLAIM_STORE),
        ((Kind.KILL, "rabbitmq", 10.2, 12), Cause.CONNECTION),
        ((Kind.FREEZE, "user_service", 10.2, 12), Cause.UNEXPLAINED),
    ],
)
def test_a_repeat_is_put_down_to_what_was_broken_between_its_copies(fault, cause: Cause):
    world = World()
    world.received(10.1, 13.0)
    world.stands("sent", attempts=2, timeline=["retrying", "sent"])
    world.broken(*fault)
    account = world.account()
    assert account.repeated == {cause: 1}
    assert account.unexcused_repeats == (cause is not Cause.AMBIGUOUS)


def test_a_repeat_is_not_ambiguous_if_the_worker_met_no_silence():
    world = World()
    world.received(10.1, 13.0)
    world.stands("sent", attempts=1, timeline=["sent"])
    world.broken(Kind.PROVIDER, "email", 9, 12, "disconnect_after_accept")
    assert world.account().repeated == {Cause.UNEXPLAINED: 1}
