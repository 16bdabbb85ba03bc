"""accept: from validated requests to committed notifications, all that wait at once together.

keys known? → lifetime, template fit? → rate limits → one statement → lost races → hand-off
"""

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from api_gateway.accept.catalogue import Catalogue, objection
from api_gateway.accept.categories import Categories
from api_gateway.accept.hand_off import HAND_OFF_LEASE, HandOff
from api_gateway.accept.order import Answer, Known, Order
from api_gateway.accept.repository import Acceptances
from shared.batching import Gatherer
from shared.cache import Allowance, RateLimiter, rate_limit_headers
from shared.database import is_refused, together_or_apart
from shared.errors import (
    ApiError,
    Conflict,
    DatabaseUnavailable,
    FieldProblem,
    RateLimited,
    Unprocessable,
)
from shared.masking import Secrets
from shared.observability import discretion
from shared.observability.metrics import NOTIFICATIONS
from shared.schemas.notifications import LONGEST_LIFETIME, Accepted
from shared.schemas.vocabulary import Status

log = structlog.get_logger()

Decision = Answer | ApiError


class NotHeld(Conflict):
    """Not taken up, for the batch is held by somebody else, or was cancelled."""

    def __init__(self) -> None:
        super().__init__("The batch is taken up elsewhere at this moment. Try again.")


class Acceptor:
    """The one way in. Every door ends here."""

    def __init__(
        self,
        acceptances: Acceptances,
        categories: Categories,
        catalogue: Catalogue,
        limiter: RateLimiter,
        hand_off: HandOff,
    ) -> None:
        self._acceptances = acceptances
        self._categories = categories
        self._catalogue = catalogue
        self._limiter = limiter
        self._hand_off = hand_off
        self.accept = Gatherer(self.accept_all, max_items=250, max_running=4)
        """Accepts one order; returns its Answer or raises an ApiError."""

    async def accept_all(self, orders: list[Order]) -> Sequence[Decision]:
        """Accepts some hundred orders at once: single ones, or all of one batch."""
        decided: dict[int, Decision] = {}
        firsts, repeats = _without_repeats(orders)
        waiting = await self._replay(firsts, decided)
        waiting = self._apply_categories(waiting, decided)
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

    def _apply_categories(
        self, orders: Sequence[Order], decided: dict[int, Decision]
    ) -> list[Order]:
        """Lifetimes, and what an unknown outcome will mean."""
        rest = []
        for order in orders:
            category, now = order.request.category, order.created_at
            order.expires_at = order.request.expires_at or now + self._categories.lifetime(category)
            order.on_unknown = self._categories.on_unknown(category)
            if now < order.expires_at <= now + LONGEST_LIFETIME:
                rest.append(order)
            else:
                decided[id(order)] = _out_of_reach()
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
                if found:
                    order.template_version = found.version
                    order.sensitive = tuple(sorted(found.sensitive))
            rest.append(order)
        return rest

    async def _limit(self, orders: Sequence[Order], decided: dict[int, Decision]) -> list[Order]:
        if not orders:
            return []
        allowances = await self._limiter.take([order.bucket for order in orders])
        rest, refused = [], []
        for order, allowance in zip(orders, allowances, strict=True):
            if allowance.allowed:
                order.allowance = allowance
                rest.append(order)
            else:
                decided[id(order)] = _too_many(order, allowance)
                refused.append(order)
        # What used the limit up may have been the same request, through another gateway.
        await self._replay(refused, decided)
        return rest

    async def _commit(self, orders: list[Order], decided: dict[int, Decision]) -> None:
        leased_at = time.monotonic()
        made: set[UUID] = set()
        is_batch = orders[0].hold is not None
        # A batch can wait; its rows without a lease do so in nobody's hand.
        keeps = not is_batch or self._hand_off.has_room(len(orders))
        try:
            made = await self._insert(orders, decided, HAND_OFF_LEASE if keeps else timedelta(0))
            if keeps:
                written = [o.written() for o in orders if o.id in made]
                self._hand_off.take(written, leased_at, is_batch=is_batch)
            else:
                self._hand_off.pass_on()
            await self._answer(orders, made, decided)
        finally:
            await self._limiter.give_back([o.bucket for o in orders if o.id not in made])

    async def _answer(
        self, orders: Sequence[Order], made: set[UUID], decided: dict[int, Decision]
    ) -> None:
        """Answers those that were made, and those that lost a race for their key."""
        lost = []
        for order in orders:
            if order.id in made:
                decided[id(order)] = Answer(order.answer(), order.allowance)
            elif id(order) not in decided:
                decided[id(order)] = NotHeld() if order.hold else _key_in_motion()
                lost.append(order)
        for channel, count in Counter(o.request.channel for o in orders if o.id in made).items():
            NOTIFICATIONS.labels(channel, Status.QUEUED, "").inc(count)
        # What was committed is answered as such, even if PostgreSQL went away at this moment.
        with contextlib.suppress(DatabaseUnavailable):
            await self._replay(lost, decided)

    async def _insert(
        self, orders: list[Order], decided: dict[int, Decision], lease: timedelta
    ) -> set[UUID]:
        """Commits all at once; if one of them breaks the statement, each by itself."""
        # PostgreSQL quotes what it refuses.
        discretion.keep(*(Secrets(o.request.variables, o.sensitive) for o in orders))

        async def insert(some: list[Order]) -> list[bool]:
            made = await self._acceptances.insert(some, lease)
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
    """Taken by another request, whose answer cannot be read now: the caller may simply repeat."""
    return DatabaseUnavailable("The idempotency key is in use at this moment. Try again.")


def _broken(order: Order, error: Exception) -> ApiError:
    """What the caller is told whose request breaks the statement, alone too."""
    if isinstance(error, ApiError):
        return error
    if is_refused(error):
        return Unprocessable("The request holds a value that cannot be stored.")
    log.error("a request breaks the statement", id=str(order.id), exc_info=error)
    return ApiError("The service met an unexpected error; its log has the trace.")


def _out_of_reach() -> Unprocessable:
    days = LONGEST_LIFETIME.days
    problem = FieldProblem("expires_at", f"must be in the future, at most {days} days ahead")
    return Unprocessable("The request has wrong fields: expires_at", [problem])


def _too_many(order: Order, allowance: Allowance) -> RateLimited:
    error = RateLimited(
        f"User {order.request.user_id} was notified {allowance.limit} times within "
        f"{allowance.window} seconds. Try again later.",
        retry_after=allowance.retry_after,
    )
    error.headers |= rate_limit_headers(allowance)
    return error
