import pytest

from shared.delivery import Receipt
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

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def probe(self) -> None:
        self.probes += 1
        if self.failure is not None:
            raise self.failure

    async def send(self, _content: str, *, key: str) -> Receipt:
        self.sent += 1
        if self.failure is not None:
            raise self.failure
        return Receipt(self.name, key)


@pytest.fixture
async def pool_of():
    opened = []

    async def make(*providers, failures=2, recovery_seconds=0.1):
        pool = ProviderPool(
            "pool", providers, {"email": 1}, failures=failures, recovery_seconds=recovery_seconds
        )
        await pool.open()
        opened.append(pool)
        await until(pool._first_look.done)
        return pool

    yield make
    for pool in opened:
        await pool.close()


async def test_the_first_provider_is_preferred(pool_of):
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second)
    assert (await pool.send("hi", key="k")).provider == "first"
    assert second.sent == 0


async def test_what_cannot_be_reached_is_passed_by(pool_of):
    first, second = Scripted("first", ProviderUnavailable("away")), Scripted("second")
    pool = await pool_of(first, second, failures=3, recovery_seconds=60)
    for _ in range(5):
        assert (await pool.send("hi", key="k")).provider == "second"
    assert first.sent == 2, "the first look counts too; after three failures nobody tries"


@pytest.mark.parametrize("failure", [OutcomeUnknown("silence"), ProviderDeclined("later")])
async def test_invariant_after_a_word_or_a_silence_nobody_else_is_tried(pool_of, failure):
    """Invariant: a second copy never goes out while the first may have arrived."""
    first, second = Scripted("first"), Scripted("second")
    pool = await pool_of(first, second)
    first.failure = failure
    with pytest.raises(type(failure)) as caught:
        await pool.send("hi", key="k")
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
            await pool.send("hi", key="k")
    assert pool.is_out
    assert told == ["out"]
    with pytest.raises(ProviderUnavailable, match=r"only is paused .* away"):
        await pool.ping()
    seen = provider.probes
    await until(lambda: provider.probes >= seen + 2)
    provider.failure = None
    await until(lambda: told == ["out", "back"])
    assert not pool.is_out
    await pool.ping()


async def test_a_provider_that_takes_messages_and_falls_silent_is_paused_too(pool_of):
    provider = Scripted("only")
    pool = await pool_of(provider)
    provider.failure = OutcomeUnknown("silence")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await pool.send("hi", key="k")
    assert pool.is_out


async def test_a_refusal_proves_that_the_provider_is_there(pool_of):
    provider = Scripted("only")
    pool = await pool_of(provider)
    for failure in (ProviderUnavailable("away"), ProviderDeclined("later")) * 3:
        provider.failure = failure
        with pytest.raises(ProviderError):
            await pool.send("hi", key="k")
    assert not pool.is_out


async def test_a_misconfiguration_shows_before_the_first_message(pool_of):
    pool = await pool_of(Scripted("only", ProviderMisconfigured("set SMTP_HOST")), failures=5)
    assert not pool.is_out
    with pytest.raises(ProviderUnavailable, match="set SMTP_HOST"):
        await pool.ping()


async def test_a_single_failure_is_no_reason_for_an_alarm(pool_of):
    provider = Scripted("only")
    pool = await pool_of(provider, failures=5)
    provider.failure = ProviderUnavailable("away")
    with pytest.raises(ProviderUnavailable):
        await pool.send("hi", key="k")
    await pool.ping()


async def test_without_providers_everything_waits(pool_of):
    pool = await pool_of(Scripted("only"))
    empty = ProviderPool("none", [], {}, failures=1, recovery_seconds=1)
    assert empty.is_out
    assert not pool.is_out
    with pytest.raises(ProviderUnavailable):
        await empty.send("hi", key="k")
