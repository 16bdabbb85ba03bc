"""Services are restarted one after the other under load, and nobody notices."""

import pytest

from tests.acceptance.sending import Sending
from tests.acceptance.stack import until

pytestmark = pytest.mark.alone

RATE = 100


def restarted_under_load(stack, *names):
    """How the sending went while these were restarted."""
    stack.until_healthy(seconds=60)
    users, template_id = stack.users(RATE * 120), stack.template()
    with Sending(stack, users, template_id, rate=RATE) as sending:
        for name in names:
            before = len(sending.accepted)
            until(lambda: len(sending.accepted) > before + RATE, seconds=60, what="sends")  # noqa: B023
            stack.carillon("restart", name)
    assert sending.refused == []
    print(f"{len(sending.accepted)} accepted, the slowest in {max(sending.seconds):.1f} s")
    sending.until_delivered(seconds=120)


def test_restarts_of_the_door_and_of_a_worker_refuse_lose_and_repeat_nothing(stack):
    restarted_under_load(stack, "api_gateway", "email_service")


@pytest.mark.endurance
@pytest.mark.parametrize("gateways", [1, 2])
def test_a_rolling_restart_of_all_services_refuses_loses_and_repeats_nothing(stack, gateways):
    stack.carillon("up", "--detach", "--scale", f"api_gateway={gateways}")
    restarted_under_load(stack, "services", "services")
