import asyncio

import pytest
from prometheus_client import REGISTRY

from shared.delivery import Receipt, member
from shared.delivery.pool import ProviderPool
from shared.errors import (
    OutcomeUnknown,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from tests.shared.broker import until


class Scripted:
    """A provider that raises `failure` while there is one."""

    def __init__(self, name: str, failure: ProviderError | None = None) -> None:
        self.name = name
        self.failure = failure
        self.sent = 0
        self.probes = 0
        self.hangs = False
        self.hung = asyncio.Event()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def probe(self) -> None:
        self.probes += 1
        await self._answer()

    async def send(self, _content: str, *, key: str) -> Receipt:
        self.sent += 1
        await self._answer()
        return Receipt(self.name, key)

    async def _answer(self) -> None:
        if self.hangs:
            await self.hung.wait()
        if self.failure is not None:
            raise self.failure


async def send(pool):
    return await pool.send("hi", key="k", turn=await pool.turn("email"))


@pytest.fixture
async def pool_of():
    opened = []

    async def make(*providers, failures=2, recovery_seconds=0.1):
        pool = ProviderPool(
            "pool", providers, {"email": 1}, failures=failures, recovery_seconds=recovery_seconds
        )
        for resource in (*pool.members, pool):
            await resource.open()
        opened.append(pool)
        await until(pool._first_look.done)
        return pool

    yield make
    for pool in opened:
        for resource in (pool, *pool.members):
            await resource.close()


async def test_the_first_provider_is_preferred(pool_of):
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second)
    assert (await send(pool)).provider == "first"
    assert second.sent == 0


async def test_the_next_one_takes_the_same_message_at_once(pool_of):
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second, recovery_seconds=60)
    first.failure = ProviderUnavailable("away")
    assert (await send(pool)).provider == "second"


async def test_one_message_meets_the_outage_and_probes_find_its_end(pool_of):
    """Invariant: no message tries out a provider while another can take it."""
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second, failures=3)
    for _ in range(3):
        first.failure = ProviderUnavailable("away")
        sent, probes = first.sent, first.probes
        for _ in range(20):
            assert (await send(pool)).provider == "second"
        await until(lambda probes=probes: first.probes >= probes + 5)
        assert (await send(pool)).provider == "second"
        assert first.sent == sent + 1
        assert not pool.members[0].is_usable, "failed probes count, as messages do"
        first.failure = None
        await until(lambda: pool.members[0].is_usable)
        assert (await send(pool)).provider == "first"


async def test_an_account_that_hangs_holds_up_a_few_messages(pool_of, monkeypatch):
    monkeypatch.setattr(member, "_STALLED_SECONDS", 0.05)
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second)
    first.hangs = True
    hanging = [asyncio.create_task(send(pool)) for _ in range(3)]
    await until(lambda: first.sent == 3)
    await until(lambda: pool.members[0].is_in_doubt)
    for _ in range(5):
        assert (await send(pool)).provider == "second"
    first.hung.set()
    assert {(await one).provider for one in hanging} == {"first"}
    await until(lambda: not pool.members[0].is_in_doubt)
    assert (await send(pool)).provider == "first"


async def test_one_in_doubt_is_better_than_none(pool_of):
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second, failures=3, recovery_seconds=60)
    second.failure = first.failure = ProviderUnavailable("away")
    with pytest.raises(ProviderUnavailable, match="away; away"):
        await send(pool)
    first.failure = None
    assert (await send(pool)).provider == "first"


async def test_the_shortest_wait_that_was_asked_for_is_passed_on(pool_of):
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second, failures=5, recovery_seconds=60)
    first.failure = ProviderUnavailable("busy", retry_after=90.0)
    second.failure = ProviderUnavailable("busy", retry_after=30.0)
    with pytest.raises(ProviderUnavailable) as caught:
        await send(pool)
    assert caught.value.retry_after == 30


async def test_lanes_go_on_while_one_of_two_is_left(pool_of):
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second, failures=1, recovery_seconds=60)
    told = []
    pool.watch(on_out=lambda: told.append("out"), on_back=lambda: told.append("back"))
    first.failure = ProviderUnavailable("away")
    assert (await send(pool)).provider == "second"
    assert (told, pool.is_out) == ([], False)
    with pytest.raises(ProviderUnavailable, match=r"first is paused .* away"):
        await pool.members[0].ping()
    await pool.members[1].ping()
    second.failure = ProviderUnavailable("away")
    with pytest.raises(ProviderUnavailable):
        await send(pool)
    assert (told, pool.is_out) == (["out"], True)


async def test_what_another_took_over_is_counted(pool_of):
    first, second = Scripted("first", ProviderUnavailable("away")), Scripted("standby")
    pool = await pool_of(first, second)
    await send(pool)
    first.failure = None
    await until(lambda: not pool.members[0].is_in_doubt)
    await send(pool)
    assert REGISTRY.get_sample_value("carillon_failovers_total", {"provider": "standby"}) == 1


@pytest.mark.parametrize("failure", [OutcomeUnknown("silence"), ProviderDeclined("later")])
async def test_invariant_after_a_word_or_a_silence_nobody_else_is_tried(pool_of, failure):
    """Invariant: a second copy never goes out while the first may have arrived."""
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second)
    first.failure = failure
    with pytest.raises(type(failure)) as caught:
        await send(pool)
    assert second.sent == 0
    assert caught.value.provider == "first"


async def test_when_all_are_out_it_says_so_and_probes_until_one_is_back(pool_of):
    provider = Scripted("only")
    pool = await pool_of(provider)
    told = []
    pool.watch(on_out=lambda: told.append("out"), on_back=lambda: told.append("back"))
    provider.failure = ProviderUnavailable("away")
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await send(pool)
    assert pool.is_out
    assert told == ["out"]
    with pytest.raises(ProviderUnavailable, match=r"only is paused .* away"):
        await pool.members[0].ping()
    seen = provider.probes
    await until(lambda: provider.probes >= seen + 2)
    provider.failure = None
    await until(lambda: told == ["out", "back"])
    assert not pool.is_out
    await pool.members[0].ping()


async def test_a_provider_that_takes_messages_and_falls_silent_is_paused_too(pool_of):
    provider = Scripted("only")
    pool = await pool_of(provider)
    provider.failure = OutcomeUnknown("silence")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await send(pool)
    assert pool.is_out


async def test_a_refusal_proves_that_the_provider_is_there(pool_of):
    provider = Scripted("only")
    pool = await pool_of(provider)
    for failure in (ProviderUnavailable("away"), ProviderDeclined("later")) * 3:
        provider.failure = failure
        with pytest.raises(ProviderError):
            await send(pool)
    assert not pool.is_out


async def test_a_misconfiguration_shows_before_the_first_message(pool_of):
    pool = await pool_of(Scripted("only", ProviderMisconfigured("set SMTP_HOST")), failures=5)
    assert not pool.is_out
    with pytest.raises(ProviderUnavailable, match="set SMTP_HOST"):
        await pool.members[0].ping()


async def test_a_single_failure_is_no_reason_for_an_alarm(pool_of):
    provider = Scripted("only")
    pool = await pool_of(provider, failures=5)
    provider.failure = ProviderUnavailable("away")
    with pytest.raises(ProviderUnavailable):
        await send(pool)
    await pool.members[0].ping()


async def test_without_providers_everything_waits(pool_of):
    pool = await pool_of(Scripted("only"))
    empty = ProviderPool("none", [], {"email": 1}, failures=1, recovery_seconds=1)
    assert empty.is_out
    assert not pool.is_out
    with pytest.raises(ProviderUnavailable):
        await send(empty)
