"""Whatever dies comes back, and what was accepted meanwhile is delivered."""

import json
import os
import signal
import threading
import time

import httpx
import pytest

from tests.acceptance.stack import until

PROCESSES = {
    "api_gateway": 15,
    "email_service": 15,
    "push_service": 15,
    "sms_service": 15,
    "user_service": 15,
    "template_service": 15,
    "sandbox": 15,
    "redis": 15,
    "postgres": 30,
    "rabbitmq": 30,
}


class Caller(threading.Thread):
    """Sends ten emails a second until told to stop; a lost answer is asked for again."""

    def __init__(self, stack, users, template_id):
        super().__init__()
        self.stack, self.users, self.template_id = stack, users, template_id
        self.accepted: dict[str, str] = {}
        self.stopping = threading.Event()

    def run(self):
        with httpx.Client(
            base_url=self.stack.url, headers=dict(self.stack.api.headers), timeout=10
        ) as client:
            for number, user in enumerate(self.users):
                if self.stopping.wait(0.1):
                    return
                self.send(client, number, user)

    def send(self, client, number, user):
        body = {
            "user_id": user["id"],
            "channel": "email",
            "template_id": self.template_id,
            "variables": {"name": str(number)},
        }
        headers = {"Idempotency-Key": f"{self.template_id}-{number}"}
        for _ in range(200):
            if self.stopping.is_set():
                return
            try:
                response = client.post("/notifications/send", json=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.2)
                continue
            if response.status_code == 202:
                self.accepted[response.json()["data"]["request_id"]] = user["email"]
                return
            assert response.status_code == 503, response.text
            time.sleep(0.2)


@pytest.mark.parametrize(("name", "seconds"), PROCESSES.items())
def test_a_killed_process_is_back_and_nothing_is_lost(stack, name, seconds):
    stack.until_healthy(seconds=60)
    caller = Caller(stack, stack.users(400), stack.template())
    caller.start()
    try:
        until(lambda: len(caller.accepted) >= 10, seconds=10, what="sends before the kill")
        for pid in stack.pids(name):
            os.kill(pid, signal.SIGKILL)
        killed_at = time.monotonic()
        stack.until_healthy(seconds=seconds)
        assert time.monotonic() - killed_at < seconds
        sent = len(caller.accepted)
        until(lambda: len(caller.accepted) >= sent + 10, seconds=20, what="sends after the kill")
    finally:
        caller.stopping.set()
        caller.join()
    stack.until_received(caller.accepted.values(), seconds=60)


def test_without_rabbitmq_sends_are_accepted_and_arrive_later(stack):
    stack.until_healthy(seconds=60)
    users, template_id = stack.users(20), stack.template()
    stack.carillon("stop", "rabbitmq")
    try:
        started = time.monotonic()
        for user in users:
            stack.send(user["id"], template_id)
        assert time.monotonic() - started < 10
    finally:
        stack.carillon("start", "rabbitmq")
    stack.until_received([user["email"] for user in users], seconds=60)


def test_a_killed_supervisor_leaves_nothing_in_the_way(stack):
    processes = json.loads(stack.carillon("status", "--json"))["processes"]
    [supervisor] = [p["pid"] for p in processes if p["program"] == "supervisord"]
    user, template_id = stack.user(), stack.template()
    os.kill(supervisor, signal.SIGKILL)
    stack.up()
    stack.until_healthy(seconds=60)
    request_id = stack.send(user["id"], template_id)
    assert stack.final(request_id)["status"] == "sent"
