"""RabbitMQ's disk is lost with everything in the queues; one command brings it back."""

import re
import shutil

import httpx
import pytest

from tests.acceptance.stack import until

COUNT = 500


@pytest.mark.endurance
def test_after_a_recovery_everything_arrives_once(stack):
    stack.until_healthy(seconds=60)
    users, template_id = stack.users(COUNT), stack.template()
    stack.carillon("stop", "email_service")
    ids = [stack.send(user["id"], template_id) for user in users]

    def in_the_lane():
        metrics = httpx.get(f"{stack.url}/metrics", timeout=10).text
        found = re.search(r'carillon_queue_messages{queue="email.queue"} (\S+)', metrics)
        return found is not None and float(found[1]) == COUNT

    def is_connected():
        health = httpx.get(f"{stack.url}/health", timeout=10).json()["dependencies"]
        return health["api_gateway-consuming"]["status"] == "ok"

    until(in_the_lane, seconds=60, what="all emails in their lane")
    stack.carillon("stop", "rabbitmq")
    shutil.rmtree(stack.home / "rabbitmq" / "data")
    stack.carillon("start", "rabbitmq")
    stack.carillon("start", "email_service")
    until(is_connected, seconds=60, what="the gateway is connected")
    stack.carillon("recover")
    stack.until_received([user["email"] for user in users], seconds=120)
    for ident in ids:
        assert stack.final(ident)["status"] == "sent"
    for user in users:
        assert len(stack.received("email", user["email"])) == 1
    stack.until_healthy(seconds=90)
