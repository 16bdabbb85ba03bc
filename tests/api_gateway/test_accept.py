"""accept itself, on real engines, where a test must choose the moment or what comes between."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils

from api_gateway.accept.acceptor import Acceptor
from api_gateway.accept.catalogue import Catalogue
from api_gateway.accept.categories import Categories
from api_gateway.accept.hand_off import HandOff
from api_gateway.accept.order import Answer, Order
from api_gateway.accept.repository import Acceptances
from shared.cache import Cache, RateLimiter
from shared.database import Database
from shared.errors import DatabaseUnavailable, RateLimited, Unprocessable
from shared.http import Neighbour
from shared.messaging import Link, Publisher
from shared.outbox import Relay
from shared.schemas.access import Caller
from shared.schemas.notifications import SendRequest
from tests.api_gateway.gateway import request
from tests.api_gateway.ledgers import migrated
from tests.proxy import proxied

NOW = datetime.now(UTC)


class Interrupted(Acceptances):
    """Has something happen between the look-up of keys and everything else, once."""

    between: Callable[[], Awaitable[Any]] | None = None

    async def known(self, keys):
        found = await super().known(keys)
        if self.between is not None:
            between, self.between = self.between, None
            await between()
        return found


class Gate:
    """One gateway's accept on a database that others may share; it publishes nothing."""

    def __init__(self, database: Database, cache: Cache, catalogue: Catalogue, limit: int) -> None:
        self.acceptances = Interrupted(database)
        self._limiter = RateLimiter(cache, limit=limit, window_seconds=60)
        publisher = Publisher(Link("amqp://127.0.0.1:9/", "unopened"))
        self._acceptor = Acceptor(
            self.acceptances,
            Categories(
                default_lifetime=timedelta(hours=24),
                lifetimes={"orders": timedelta(hours=2)},
                on_unknown={"orders": "resend"},
            ),
            catalogue,
            self._limiter,
            HandOff(Relay(database, publisher)),
        )

    async def accept(self, key: str | None, *, at: datetime = NOW, **changes: Any) -> Answer:
        order = Order(
            id=uuid_utils.uuid7(),
            request=SendRequest.model_validate(request(**changes)),
            caller=Caller(key_id=1, name="test", scopes=frozenset()),
            correlation_id="test",
            traceparent=None,
            idempotency_key=key,
            fingerprint_key=b"key",
            created_at=at,
        )
        return await self._acceptor.accept(order)


@pytest.fixture
async def gate(postgres_url, redis_url, templates) -> AsyncIterator[Callable[..., Gate]]:
    """Makes gates on one database."""
    cache = Cache(redis_url, timeout=10)
    neighbour = Neighbour("template_service", templates, "token", timeout=10)
    catalogue = Catalogue(neighbour, patience=10)
    resources = (cache, neighbour, catalogue)
    for resource in resources:
        await resource.open()
    async with migrated(postgres_url) as database:
        yield lambda limit=100, on=database: Gate(on, cache, catalogue, limit)
    for resource in reversed(resources):
        await resource.close()


@pytest.fixture
async def rows(postgres_url) -> AsyncIterator[Callable[[], Awaitable[list[Any]]]]:
    """Reads what was accepted."""
    connection = await asyncpg.connect(postgres_url)
    yield lambda: connection.fetch("SELECT * FROM notifications ORDER BY id")
    await connection.close()


async def test_a_repeat_after_the_end_of_its_lifetime_is_answered_as_before(gate, rows):
    here, key, expires_at = gate(), str(uuid4()), (NOW + timedelta(minutes=5)).isoformat()
    first = await here.accept(key, expires_at=expires_at)
    again = await here.accept(key, at=NOW + timedelta(minutes=6), expires_at=expires_at)
    assert again.replayed
    assert again.accepted == first.accepted
    with pytest.raises(Unprocessable) as refused:
        await here.accept(str(uuid4()), at=NOW + timedelta(minutes=6), expires_at=expires_at)
    assert [field.path for field in refused.value.fields] == ["expires_at"]
    assert len(await rows()) == 1


async def test_who_loses_a_race_for_a_key_gets_the_winners_answer_and_pays_nothing(gate, rows):
    """Invariant: one idempotency key makes one notification; a replay costs nothing."""
    here, there, key = gate(), gate(), str(uuid4())
    winners = []

    async def overtake():
        winners.append(await there.accept(key))

    here.acceptances.between = overtake
    loser = await here.accept(key)
    assert loser.replayed
    assert loser.accepted == winners[0].accepted
    assert len(await rows()) == 1
    assert (await here.accept(None)).accepted.remaining_requests == 98


async def test_who_loses_a_race_with_another_body_is_refused(gate, rows):
    here, there, key = gate(), gate(), str(uuid4())
    here.acceptances.between = lambda: there.accept(key)
    with pytest.raises(Unprocessable) as refused:
        await here.accept(key, priority="low")
    assert refused.value.error_code == "idempotency_key_reused"
    assert len(await rows()) == 1


async def test_a_repeat_is_not_refused_for_the_limit_that_its_first_used_up(gate, rows):
    here, there, key = gate(limit=1), gate(limit=1), str(uuid4())
    here.acceptances.between = lambda: there.accept(key)
    assert (await here.accept(key)).replayed
    with pytest.raises(RateLimited):
        await here.accept(str(uuid4()))
    assert len(await rows()) == 1


async def test_what_could_not_be_stored_leaves_the_limit_as_it_was(gate, postgres_url):
    async with proxied(postgres_url) as (proxy, through):
        database = Database(through)
        here = gate(on=database)
        assert (await here.accept(None)).accepted.remaining_requests == 99
        proxy.cut()
        for _ in range(5):
            with pytest.raises(DatabaseUnavailable):
                await here.accept(None)
        await database.close()
    assert (await gate().accept(None)).accepted.remaining_requests == 98


async def test_a_refused_request_leaves_its_key_free(gate, rows):
    here, key = gate(), str(uuid4())
    with pytest.raises(Unprocessable):
        await here.accept(key, expires_at=(NOW + timedelta(days=31)).isoformat())
    with pytest.raises(Unprocessable):
        await here.accept(key, template_id="nobody")
    assert not (await here.accept(key)).replayed
    assert len(await rows()) == 1


@pytest.mark.parametrize(
    ("category", "minutes", "on_unknown"),
    [
        (None, 24 * 60, None),
        ("news", 24 * 60, None),
        ("one_time_code", 10, "hold"),
        ("orders", 2 * 60, "resend"),
    ],
)
async def test_the_category_says_how_long_and_whether_to_repeat(
    gate, rows, postgres_url, category, minutes, on_unknown
):
    await gate().accept(None, category=category)
    [row] = await rows()
    assert row["expires_at"] == row["created_at"] + timedelta(minutes=minutes)
    assert row["on_unknown"] == on_unknown
    connection = await asyncpg.connect(postgres_url)
    wire = json.loads(await connection.fetchval("SELECT body FROM outbox"))
    await connection.close()
    assert datetime.fromisoformat(wire["expires_at"]) == row["expires_at"]
    assert wire["on_unknown"] == on_unknown


async def test_the_request_says_more_than_its_category(gate, rows):
    expires_at = NOW + timedelta(days=2)
    await gate().accept(None, category="one_time_code", expires_at=expires_at.isoformat())
    assert (await rows())[0]["expires_at"] == expires_at
