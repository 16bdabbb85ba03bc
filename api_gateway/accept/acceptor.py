"""accept: from validated requests to committed notifications, all that wait at once together.

keys known? → template fits? → rate limits → one statement → lost races → hand-off
"""

import time
from collections.abc import Sequence
from uuid import UUID

import structlog

from api_gateway.accept.catalogue import Catalogue, objection
from api_gateway.accept.hand_off import HandOff
from api_gateway.accept.order import Answer, Known, Order
from api_gateway.accept.repository import Acceptances
from shared.batching import Gatherer
from shared.cache import Allowance, RateLimiter, rate_limit_headers
from shared.database import is_refused, together_or_apart
from shared.errors import ApiError, DatabaseUnavailable, RateLimited, Unprocessable
from shared.observability.metrics import NOTIFICATIONS
from shared.schemas.notifications import Accepted
from shared.schemas.vocabulary import Status

log = structlog.get_logger()

Decision = Answer | ApiError


class Acceptor:
    """The one way in. Every door ends here."""

    def __init__(
        self,
        acceptances: Acceptances,
        catalogue: Catalogue,
        limiter: RateLimiter,
        hand_off: HandOff,
    ) -> None:
        self._acceptances = acceptances
        self._catalogue = catalogue
        self._limiter = limiter
        self._hand_off = hand_off
        self.accept = Gatherer(self._accept_all, max_items=250, max_running=4)
        """Accepts one order; returns its Answer or raises an ApiError."""

    async def _accept_all(self, orders: list[Order]) -> Sequence[Decision]:
        decided: dict[int, Decision] = {}
        firsts, repeats = _without_repeats(orders)
        waiting = await self._replay(firsts, decided)
        waiting = await self._check_templates(waiting, decided)
        waiting = await self._limit(waiting, decided)
        if waiting:
            await self._commit(waiting, decided)
        for order, first in repeats:
            decided[id(order)] = _repeat(order, first, decided[id(first)])
        return [decided[id(order)] for order in orders]

    async def _replay(self, orders: Sequence[Order], decided: dict[int, Decision]) -> list[Order]:
        """Answers what was answered before; returns the rest."""
        known = await self._acceptances.known([order.key for order in orders if order.key])
        rest = []
        for order in orders:
            found = known.get(order.key) if order.key else None
            if found is None:
                rest.append(order)
            else:
                decided[id(order)] = _replayed(order, found)
        return rest

    async def _check_templates(
        self, orders: Sequence[Order], decided: dict[int, Decision]
    ) -> list[Order]:
        facts = await self._catalogue.look_up([order.request.template_id for order in orders])
        rest = []
        for order in orders:
            template_id = order.request.template_id
            if template_id in facts:
                found = facts[template_id]
                if refusal := objection(order.request, found):
                    decided[id(order)] = refusal
                    continue
                order.template_version = found.version if found else None
            rest.append(order)
        return rest

    async def _limit(self, orders: Sequence[Order], decided: dict[int, Decision]) -> list[Order]:
        if not orders:
            return []
        allowances = await self._limiter.take([order.bucket for order in orders])
        rest = []
        for order, allowance in zip(orders, allowances, strict=True):
            if allowance.allowed:
                order.allowance = allowance
                rest.append(order)
            else:
                decided[id(order)] = _too_many(order, allowance)
        return rest

    async def _commit(self, orders: list[Order], decided: dict[int, Decision]) -> None:
        leased_at = time.monotonic()
        made = await self._insert(orders, decided)
        lost = [o for o in orders if o.id not in made and id(o) not in decided]
        if lost:
            known = await self._acceptances.known([order.key for order in lost if order.key])
            for order in lost:
                found = known.get(order.key) if order.key else None
                decided[id(order)] = _replayed(order, found) if found else _key_in_motion()
        accepted = [order for order in orders if order.id in made]
        for order in accepted:
            decided[id(order)] = Answer(order.answer(), order.allowance)
            NOTIFICATIONS.labels(order.request.channel, Status.QUEUED, "").inc()
        self._hand_off.take([order.message() for order in accepted], leased_at)

    async def _insert(self, orders: list[Order], decided: dict[int, Decision]) -> set[UUID]:
        """Commits all at once; if one of them breaks the statement, each by itself."""

        async def insert(some: list[Order]) -> list[bool]:
            made = await self._acceptances.insert(some)
            return [order.id in made for order in some]

        made: set[UUID] = set()
        results = await together_or_apart(orders, insert)
        for order, result in zip(orders, results, strict=True):
            if isinstance(result, Exception):
                decided[id(order)] = _broken(order, result)
            elif result:
                made.add(order.id)
        return made


def _without_repeats(
    orders: Sequence[Order],
) -> tuple[list[Order], list[tuple[Order, Order]]]:
    """The first of each idempotency key, and each other one with its first."""
    firsts: dict[object, Order] = {}
    repeats = []
    for order in orders:
        first = firsts.setdefault(order.key or order.id, order)
        if first is not order:
            repeats.append((order, first))
    return list(firsts.values()), repeats


def _repeat(order: Order, first: Order, decision: Decision) -> Decision:
    if order.fingerprint() != first.fingerprint():
        return _other_body()
    if isinstance(decision, ApiError):
        return decision
    return Answer(decision.accepted, replayed=True)


def _replayed(order: Order, found: Known) -> Decision:
    if found.fingerprint != order.fingerprint():
        return _other_body()
    return Answer(Accepted.model_validate(found.answer), replayed=True)


def _other_body() -> Unprocessable:
    return Unprocessable(
        "This idempotency key was used with another body. Use a new key for a new request.",
        code="idempotency_key_reused",
    )


def _key_in_motion() -> ApiError:
    """The key was taken and given up again in this instant: the caller may simply repeat."""
    return DatabaseUnavailable("The idempotency key is in use at this moment. Try again.")


def _broken(order: Order, error: Exception) -> ApiError:
    """What the caller is told whose request breaks the statement, alone too."""
    if isinstance(error, ApiError):
        return error
    if is_refused(error):
        return Unprocessable("The request holds a value that cannot be stored.")
    log.error("a request breaks the statement", id=str(order.id), exc_info=error)
    return ApiError("The service met an unexpected error; its log has the trace.")


def _too_many(order: Order, allowance: Allowance) -> RateLimited:
    error = RateLimited(
        f"User {order.request.user_id} was notified {allowance.limit} times within "
        f"{allowance.window} seconds. Try again later.",
        retry_after=allowance.retry_after,
    )
    error.headers |= rate_limit_headers(allowance)
    return error
