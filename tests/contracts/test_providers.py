"""What the pipeline may expect of every provider; each passes the same cases."""

import asyncio
from typing import Any

import pytest

from shared.errors import (
    ContentRejected,
    OutcomeUnknown,
    ProviderDeclined,
    ProviderError,
    ProviderThrottled,
    ProviderUnavailable,
    RecipientRejected,
    TokenInvalid,
)

KEY = "0190b5a6-7d35-7e0f-a3f1-1f0e5c3d9a10.1"


class Case:
    """One recipient at one provider, and what the sandbox has of it."""

    def __init__(self, subject, sandbox) -> None:
        self.subject = subject
        self.sandbox = sandbox
        self.recipient = subject.recipient()

    def fault(self, kind: str, **more: Any) -> None:
        self.sandbox.faults({"channel": self.subject.channel, "kind": kind, **more})

    async def send(self, provider, *, to: str | None = None, key: str = KEY):
        return await provider.send(self.subject.content(to or self.recipient), key=key)

    @property
    def received(self) -> list[dict[str, Any]]:
        found = self.sandbox.get("/messages", channel=self.subject.channel, to=self.recipient)
        assert isinstance(found, list)
        return found


@pytest.fixture
def case(subject, sandbox) -> Case:
    return Case(subject, sandbox)


async def test_an_accepted_message_is_there_and_has_a_receipt(case, opened):
    async with opened() as provider:
        receipt = await case.send(provider)
    assert receipt.provider == provider.name
    assert receipt.message_id
    [message] = case.received
    assert "at nine." in (message.get("text") or message["body"])


async def test_many_at_once_all_arrive(case, opened):
    async with opened() as provider:
        await asyncio.gather(*(case.send(provider, key=f"{KEY}.{n}") for n in range(25)))
    assert len(case.received) == 25


async def test_a_permanent_refusal_is_final(case, opened):
    case.fault("reject_permanent")
    async with opened() as provider:
        with pytest.raises((RecipientRejected, ContentRejected)):
            await case.send(provider)


async def test_a_recipient_that_does_not_exist_is_final(case, opened, subject):
    async with opened() as provider:
        with pytest.raises((RecipientRejected, TokenInvalid)):
            await case.send(provider, to=subject.dead_recipient)


async def test_a_transient_refusal_asks_for_another_try(case, opened):
    case.fault("reject_transient", first=1)
    async with opened() as provider:
        with pytest.raises(ProviderDeclined):
            await case.send(provider)
        await case.send(provider)
    assert len(case.received) == 1


async def test_a_throttle_says_how_long(case, opened):
    case.fault("throttle", retry_after_seconds=7)
    async with opened() as provider:
        with pytest.raises(ProviderThrottled) as caught:
            await case.send(provider)
    assert caught.value.retry_after == 7


async def test_a_provider_that_serves_nobody_is_unavailable(case, opened):
    case.fault("unavailable", first=1, retry_after_seconds=7)
    async with opened() as provider:
        with pytest.raises(ProviderUnavailable) as caught:
            await case.send(provider)
        assert caught.value.retry_after == 7
        await case.send(provider)
    assert len(case.received) == 1


async def test_a_refused_connection_is_unavailable(case, opened, closed_port):
    async with opened(port=closed_port) as provider:
        with pytest.raises(ProviderUnavailable):
            await case.send(provider)
        with pytest.raises(ProviderUnavailable):
            await provider.probe()


async def test_what_goes_down_is_noticed_and_comes_back(case, opened):
    async with opened() as provider:
        await case.send(provider)
        case.fault("down")
        with pytest.raises((ProviderUnavailable, OutcomeUnknown)):
            await case.send(provider)
        with pytest.raises(ProviderUnavailable):
            await provider.probe()
        case.sandbox.faults()
        await provider.probe()
        await case.send(provider)
    assert len(case.received) == 2


@pytest.mark.parametrize("kind", ["timeout", "disconnect"])
async def test_no_answer_is_unknown_only_after_the_message_was_handed_over(
    case, opened, subject, kind
):
    expected = OutcomeUnknown if subject.hands_over_in_one_piece else ProviderUnavailable
    async with opened(timeout=0.5) as provider:
        await provider.probe()
        case.fault(kind)
        with pytest.raises(expected):
            await case.send(provider)
        case.sandbox.faults()
        await case.send(provider)
    assert len(case.received) == 1


async def test_a_lost_answer_to_an_accepted_message_is_unknown(case, opened):
    case.fault("disconnect_after_accept", first=1)
    async with opened() as provider:
        with pytest.raises(OutcomeUnknown):
            await case.send(provider)
    assert len(case.received) == 1


async def test_both_copies_of_one_key_carry_the_same_mark(case, opened, subject):
    async with opened() as provider:
        await case.send(provider)
        await case.send(provider)
        await case.send(provider, key=f"{KEY}.other")
    marks = [subject.mark(message) for message in case.received]
    assert len(marks) == 3
    assert len(set(marks)) == (1 if marks[0] is None else 2)


async def test_a_slow_answer_is_waited_for(case, opened):
    case.fault("slow", latency_ms=300)
    async with opened() as provider:
        await case.send(provider)
    assert len(case.received) == 1


async def test_a_probe_sends_nothing(case, opened, subject):
    before = case.sandbox.get("/stats")[subject.channel]
    async with opened() as provider:
        await provider.probe()
    assert case.sandbox.get("/stats")[subject.channel] == before


@pytest.mark.parametrize(
    "kind", ["reject_permanent", "reject_transient", "throttle", "unavailable", "disconnect"]
)
async def test_every_failure_is_a_sentence_of_the_error_tree(case, opened, kind):
    case.fault(kind)
    async with opened() as provider:
        with pytest.raises(ProviderError) as caught:
            await case.send(provider)
    assert len(str(caught.value)) > 10
