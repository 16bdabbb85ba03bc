"""Template facts: fresh while the template service answers, good enough while it does not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api_gateway.accept.catalogue import Catalogue
from shared.http import Neighbour
from shared.resilience.breaker import Breaker
from tests.api_gateway.neighbours import TEMPLATES, Served, template_service
from tests.proxy import Proxy, proxied
from tests.shared.broker import until


class Asked(Neighbour):
    """A neighbour that knows how many questions were under way at once."""

    under_way = most_under_way = answered = 0

    async def ask(self, *words: Any) -> Any:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            answer = await super().ask(*words)
        finally:
            self.under_way -= 1
        self.answered += 1
        return answer


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Place:
    """A catalogue, and the way to its template service."""

    def __init__(self, neighbour: Asked, proxy: Proxy) -> None:
        self.neighbour, self.proxy, self.clock = neighbour, proxy, Clock()
        # Patient: a busy machine is not what these tests are about.
        self.catalogue = Catalogue(neighbour, patience=10, clock=self.clock)

    async def versions(self, *names: str) -> dict[str, int | None]:
        found = await self.catalogue.look_up(names)
        return {name: facts and facts.version for name, facts in found.items()}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    served = Served(template_service(list(TEMPLATES)))
    async with proxied(served.url) as (proxy, through):
        never = Breaker("template_service", failures=1000)
        neighbour = Asked("template_service", through, "token", timeout=20, breaker=never)
        await neighbour.open()
        place = Place(neighbour, proxy)
        await place.catalogue.open()
        yield place
        await place.catalogue.close()
        await neighbour.close()
    served.stop()


async def test_facts_are_kept_for_a_second(place):
    wanted = {"bells": 1, "welcome_email": 3, "nobody": None}
    assert await place.versions(*wanted) == wanted
    place.clock.now += 0.9
    assert await place.versions(*wanted) == wanted
    assert place.neighbour.answered == 1
    place.clock.now += 0.2
    assert await place.versions(*wanted) == wanted
    await until(lambda: place.neighbour.answered == 2)


async def test_look_ups_at_once_share_their_questions(place):
    """The first is asked alone; all that came meanwhile are asked together."""
    names = [f"unknown-{n}" for n in range(200)]
    looked_up = await asyncio.gather(*(place.versions(name) for name in names))
    assert looked_up == [{name: None} for name in names]
    assert place.neighbour.answered <= 2
    assert place.neighbour.most_under_way == 1


async def test_a_silent_template_service_is_asked_once_and_known_facts_are_used(place):
    """Invariant: while it is silent, one question is under way, however many want to know."""
    await place.versions("bells", "nobody")
    place.proxy.freeze()
    place.clock.now += 2
    first = asyncio.create_task(place.versions("bells", "nobody", "welcome_email"))
    await until(lambda: place.neighbour.under_way == 1)
    place.clock.now += 11  # from now on the question is late
    async with asyncio.timeout(15):  # it would be given up after twenty
        for _ in range(200):
            assert await place.versions("bells", "nobody", "welcome_email") == {"bells": 1}
    first.cancel()
    assert place.neighbour.most_under_way == 1


@pytest.mark.parametrize(("age", "usable"), [(9, True), (299, True), (301, False)])
async def test_what_is_too_old_is_not_known(place, age, usable):
    await place.versions("bells")
    place.proxy.cut()
    place.clock.now += age
    assert await place.versions("bells") == ({"bells": 1} if usable else {})


async def test_after_a_failure_nobody_waits_until_it_answers_again(place):
    await place.versions("bells")
    place.proxy.cut()
    place.clock.now += 2
    await place.versions("bells")
    place.proxy.restore()
    place.proxy.freeze()
    async with asyncio.timeout(15):  # each question would take twenty
        for _ in range(200):
            assert await place.versions("bells", "unseen") == {"bells": 1}
    place.proxy.restore()

    async def seen():
        return await place.versions("bells", "unseen") == {"bells": 1, "unseen": None}

    await until(seen)


async def test_a_thousand_names_at_once_are_asked_for_in_parts(place):
    names = [f"unknown-{n}" for n in range(1500)]
    assert await place.versions(*names) == dict.fromkeys(names)
