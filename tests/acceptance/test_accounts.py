"""Two accounts at two mail servers, two email workers, and a send rate."""

import os
import signal
from datetime import datetime, timedelta

import pytest

from tests.acceptance.conftest import PATIENCE, running_stack
from tests.acceptance.stack import emails, heads, until
from tests.carillon_stack.sandbox.conftest import Sandbox

RATE = 10

pytestmark = pytest.mark.endurance


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """The second mail server."""
    sandbox = Sandbox(tmp_path_factory.mktemp("second"))
    sandbox.start()
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory, second):
    settings = {
        **PATIENCE,
        "SMTP_FALLBACK_HOST": "127.0.0.1",
        "SMTP_FALLBACK_PORT": str(second.smtp_port),
        "SMTP_FALLBACK_TLS": "none",
        "SMTP_RATE_PER_SECOND": str(RATE),
    }
    home = tmp_path_factory.mktemp("two")
    with running_stack(home, settings, "--scale", "email_service=2") as stack:
        yield stack


@pytest.fixture
def stack(running, second):
    running.until_healthy(seconds=60)
    for inbox in (running.sandbox, second.http):
        inbox.delete("/messages").raise_for_status()
    yield running
    running.sandbox.put("/faults", json=[]).raise_for_status()


def senders(stack, sends):
    """Which accounts sent these emails, all of them at the first attempt."""
    notifications = [stack.final(request_id, seconds=60) for request_id in sends]
    assert {(one["status"], one["attempts"]) for one in notifications} == {("sent", 1)}
    assert all(one["timeline"][-1]["provider"] == one["provider"] for one in notifications)
    return {one["provider"] for one in notifications}


def test_the_second_account_takes_over_and_gives_back(stack, second):
    users = iter(stack.users(1000))
    first = [next(users) for _ in range(100)]
    assert senders(stack, stack.send_all(first)) == {"smtp"}

    stack.sandbox.put("/faults", json=[{"channel": "email", "kind": "down"}]).raise_for_status()
    over = [next(users) for _ in range(400)]
    assert senders(stack, stack.send_all(over)) == {"smtp-fallback"}

    def is_paused():
        status, lines = stack.providers()
        states = {name: line["status"] for name, line in lines.items()}
        return (status, states) == ("degraded", {"smtp": "down", "smtp-fallback": "ok"})

    until(is_paused, seconds=30, what="the first account is paused")
    stack.sandbox.put("/faults", json=[]).raise_for_status()
    back = []

    def gives_back():
        back.extend(ten := [next(users) for _ in range(10)])
        return senders(stack, stack.send_all(ten)) == {"smtp"}

    until(gives_back, seconds=30, what="the first account sends again")
    counts = stack.emails() + emails(second.http)
    assert {counts[user["email"]] for user in [*first, *over, *back]} == {1}


def test_an_account_that_hangs_holds_up_what_was_in_hand_and_nothing_after(stack, second):
    """Connections stand and nobody speaks, as when a firewall swallows packets."""
    users = stack.users(300)
    assert senders(stack, stack.send_all(users[:20])) == {"smtp"}
    frozen = stack.pids("sandbox")
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        sends = stack.send_all(users[20:])
        notifications = [stack.final(request_id, seconds=60) for request_id in sends]
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert {(one["provider"], one["attempts"]) for one in notifications} == {("smtp-fallback", 1)}
    delays = [
        (
            datetime.fromisoformat(n["sent_at"]) - datetime.fromisoformat(n["created_at"])
        ).total_seconds()
        for n in notifications
    ]
    late = sum(delay > 2 for delay in delays)
    print(f"{late} of {len(delays)} took more than 2 s, the longest {max(delays):.1f} s")
    assert max(delays) < 20
    until(stack.emails, seconds=60, what="the sandbox answers again")
    counts = stack.emails() + emails(second.http)
    assert {counts[user["email"]] for user in users} == {1}


def test_an_unknown_outcome_is_not_handed_to_the_second(stack, second):
    fault = {"channel": "email", "kind": "disconnect_after_accept", "first": 1}
    stack.sandbox.put("/faults", json=[fault]).raise_for_status()
    sends = stack.send_all(stack.users(50))
    unknown = 0
    for request_id, address in sends.items():
        notification = stack.final(request_id, seconds=120)
        assert notification["status"] == "sent"
        first_end = notification["timeline"][2]
        at_first = stack.received("email", address)
        copies = at_first + second.get("/messages", channel="email", to=address)
        assert len({copy["message_id"] for copy in copies}) == 1
        if first_end["status"] == "retrying":
            unknown += 1
            assert (first_end["provider"], len(copies)) == ("smtp", 2)
        else:
            assert (first_end["provider"], at_first) == ("smtp-fallback", [])
    print(f"{unknown} of {len(sends)} had an unknown outcome, the second account sent the others")
    assert unknown > 0


def test_two_workers_keep_the_send_rate_together(stack):
    count = 300
    stack.carillon("stop", "email_service")
    stack.send_all(stack.users(count))
    stack.carillon("start", "email_service")
    until(
        lambda: stack.sandbox.get("/stats").json()["email"] == count,
        seconds=120,
        what=f"{count} emails",
    )
    moments = sorted(datetime.fromisoformat(head["received_at"]) for head in heads(stack.sandbox))
    rate = (count - 1) / (moments[-1] - moments[0]).total_seconds()
    busiest = max(
        sum(moment <= other < moment + timedelta(seconds=1) for other in moments[n : n + 2 * RATE])
        for n, moment in enumerate(moments)
    )
    print(f"{rate:.2f} emails a second, {busiest} in the busiest second")
    assert RATE * 0.9 <= rate <= RATE * 1.1
