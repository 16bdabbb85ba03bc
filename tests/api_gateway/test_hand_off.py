"""Between accept and the relay: bounded, and empty when the process ends."""

import asyncio
import time

import pytest

from api_gateway.accept import hand_off
from api_gateway.accept.hand_off import HandOff
from shared.errors import BrokerUnavailable
from shared.outbox import Written
from tests.shared.broker import notification


class Relays:
    """A relay that publishes when it is told to."""

    def __init__(self) -> None:
        self.published = []
        self.may_go_on = asyncio.Event()

    async def publish(self, messages) -> list[BrokerUnavailable]:
        await self.may_go_on.wait()
        self.published += messages
        return []


@pytest.fixture
async def relay():
    return Relays()


@pytest.fixture
async def handing_off(relay):
    handing_off = HandOff(relay)
    await handing_off.open()
    yield handing_off
    relay.may_go_on.set()
    await handing_off.close()


async def test_what_waits_is_published_before_the_process_ends(relay, handing_off):
    messages = [Written.of(notification()) for _ in range(1200)]
    handing_off.take(messages, time.monotonic())
    closing = asyncio.create_task(handing_off.close())
    relay.may_go_on.set()
    await closing
    assert relay.published == messages


async def test_the_end_waits_for_nothing_when_nothing_waits(handing_off):
    await handing_off.close()


MESSAGES = [Written.of(notification(variables={"text": "x" * 600})) for _ in range(10)]
THREE = sum(len(message.body) for message in MESSAGES[:3])


@pytest.mark.parametrize(("most", "bound"), [("_MOST_WAITING", 3), ("_MOST_BYTES", THREE)])
async def test_what_does_not_fit_is_left_to_the_relay(relay, handing_off, monkeypatch, most, bound):
    monkeypatch.setattr(hand_off, most, bound)
    handing_off.take(MESSAGES, time.monotonic())
    relay.may_go_on.set()
    await handing_off.close()
    assert relay.published == MESSAGES[:3]
