"""Queues that outlive RabbitMQ, and a RabbitMQ that takes nothing: accepting goes on."""

from statistics import median

import pytest

from tests.acceptance import rabbit
from tests.acceptance.sending import Sending
from tests.acceptance.stack import until

LANE = "email.queue"


def survives_two_kills(stack, count):
    """RabbitMQ is killed with that many messages in the queue, and again while they go out."""
    stack.until_healthy(seconds=60)
    stack.carillon("stop", "email_service")
    try:
        sending = sent(stack, count)
        until(lambda: rabbit.depth(stack, LANE) == count, seconds=60, what="all in the queue")
        rabbit.kill(stack)
    finally:
        stack.carillon("start", "email_service")
    until(lambda: sending.received()[0] > count / 4, seconds=120, what="a quarter is delivered")
    rabbit.kill(stack)
    sending.until_delivered(seconds=300)
    stack.until_healthy(seconds=60)


def sent(stack, count, rate=300):
    """So many sends, all of them accepted."""
    with Sending(stack, stack.users(count), stack.template(), rate=rate) as sending:
        sending.finish()
    assert sending.refused == []
    return sending


def complaint(stack):
    """What is wrong with the gateway's link for publishing."""
    dependencies = stack.api.get("/health").json()["dependencies"]
    return dependencies["api_gateway-publishing"]["detail"] or ""


def test_what_is_queued_outlives_a_killed_rabbitmq_and_goes_out_once(stack):
    survives_two_kills(stack, 400)


@pytest.mark.endurance
def test_five_thousand_queued_outlive_a_killed_rabbitmq_and_go_out_once(stack):
    survives_two_kills(stack, 5000)


def test_while_rabbitmq_takes_nothing_accepts_go_on_as_ever_and_all_arrives_later(stack):
    stack.until_healthy(seconds=60)
    usual = sent(stack, 100, rate=100)
    usual.until_delivered(seconds=60)
    with rabbit.out_of_memory(stack):
        blocked = sent(stack, 400, rate=100)
        assert median(blocked.seconds) < 3 * median(usual.seconds) + 0.1
        until(lambda: "takes nothing" in complaint(stack), seconds=20, what="it in /health")
        assert blocked.received() == (0, 0)
    blocked.until_delivered(seconds=120)
