"""What a provider's outages and refusals cost: time or attempts, and never a message."""

import time
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from tests.acceptance.conftest import running_stack
from tests.acceptance.stack import until

RETRY_TIERS = ((2.0, 2.6), (4.0, 5.2), (8.0, 10.4))
SLACK_SECONDS = 8.0
SENT_AT_LAST = ("processing", "sent")


@pytest.fixture
def faults(stack):
    """Has the sandbox of the shared stack do something wrong, until the test ends."""

    def replace(*wanted):
        stack.sandbox.put("/faults", json=list(wanted)).raise_for_status()

    stack.until_healthy(seconds=60)
    yield replace
    replace()
    stack.until_healthy(seconds=60)


@pytest.fixture(scope="module")
def patient_stack(tmp_path_factory):
    """A stack as everybody has it: with default settings."""
    with running_stack(tmp_path_factory.mktemp("patient"), {}) as running:
        yield running


def assert_survived(stack, sends, seconds):
    """All were sent once, at the first attempt, and nothing is among the dead letters."""
    stack.until_received(sends.values(), seconds=seconds)
    counts = stack.emails()
    for request_id, address in sends.items():
        notification = stack.final(request_id)
        assert (notification["status"], notification["attempts"]) == ("sent", 1)
        assert counts[address] == 1


def outage(stack, *, count, seconds):
    """One email into an outage, then the others; how long after its end all had arrived."""
    user, *others = stack.users(count)
    stack.sandbox.put("/faults", json=[{"channel": "email", "kind": "down"}]).raise_for_status()
    ends_at = time.monotonic() + seconds
    try:
        sends = stack.send_all([user])
        [request_id] = sends
        until(
            lambda: stack.notification(request_id)["status"] == "deferred",
            seconds=30,
            what="the first email is deferred",
        )
        sends |= stack.send_all(others)
        until(
            lambda: "paused" in (stack.providers()[1]["smtp"]["detail"] or ""),
            seconds=60,
            what="the breaker is open",
        )
        assert stack.providers()[0] == "degraded"
        time.sleep(max(0.0, ends_at - time.monotonic()))
        assert stack.emails().keys().isdisjoint(sends.values())
    finally:
        stack.sandbox.put("/faults", json=[]).raise_for_status()
    back_at = time.monotonic()
    assert_survived(stack, sends, seconds=150)
    late = time.monotonic() - back_at
    print(f"{count} emails, {seconds} s of outage: all there {late:.1f} s after its end")
    stack.until_healthy(seconds=30)


def test_an_outage_costs_time_and_no_message(stack, faults):
    outage(stack, count=60, seconds=10)


@pytest.mark.endurance
@pytest.mark.parametrize(("count", "seconds"), [(1, 60), (1000, 120)])
def test_a_long_outage_costs_time_and_no_message(patient_stack, count, seconds):
    patient_stack.until_healthy(seconds=90)
    outage(patient_stack, count=count, seconds=seconds)


def waits(notification):
    """Seconds between each attempt's end and the beginning of the next."""
    entries = [e for e in notification["timeline"] if e["status"] in ("processing", "retrying")]
    times = [(entry["status"], datetime.fromisoformat(entry["at"])) for entry in entries]
    return [
        (began - declined) / timedelta(seconds=1)
        for (status, declined), (_, began) in pairwise(times)
        if status == "retrying"
    ]


def assert_waited(notification, retries):
    for waited, (shortest, longest) in zip(waits(notification), RETRY_TIERS[:retries], strict=True):
        # Both ends are told by clocks around the hand-offs, which take time of their own.
        assert shortest - 0.5 <= waited <= longest + SLACK_SECONDS


@pytest.mark.parametrize("half", [8, pytest.param(99, marks=pytest.mark.endurance)])
def test_declines_cost_attempts_and_the_last_of_them_ends_it(stack, faults, half):
    """Half of all are declined twice; one is declined on every try."""
    unlucky, *users = stack.users(2 * half + 1)
    declined = {user["email"] for user in users[:half]}
    kind = {"channel": "email", "kind": "reject_transient"}
    twice = ({**kind, "to": address, "first": 2} for address in declined)
    faults({**kind, "to": unlucky["email"]}, *twice)
    lost_template = stack.template()
    lost = stack.send(unlucky["id"], lost_template)
    sends = stack.send_all(users)
    stack.until_received(sends.values(), seconds=90)
    counts = stack.emails()
    for request_id, address in sends.items():
        notification = stack.final(request_id)
        tries = 3 if address in declined else 1
        assert (notification["status"], notification["attempts"]) == ("sent", tries)
        statuses = [entry["status"] for entry in notification["timeline"]]
        assert statuses == ["queued", *["processing", "retrying"] * (tries - 1), *SENT_AT_LAST]
        assert_waited(notification, tries - 1)
        assert counts[address] == 1

    notification = stack.final(lost, seconds=60)
    assert (notification["status"], notification["attempts"]) == ("failed", 4)
    assert notification["reason"] == "retries_exhausted"
    assert_waited(notification, 3)
    [letter] = stack.data(stack.api.get("/dead-letters", params={"template_id": lost_template}))
    assert (letter["request_id"], letter["reason"]) == (lost, "retries_exhausted")
    assert counts[unlucky["email"]] == 0
