"""Taking a batch up: stored first and held, then its items in chunks, then its answer.

What is committed carries the batch and its position in it. So whoever takes a batch up again,
after a process or PostgreSQL died in the middle, knows what is done; and nobody adds to a batch
without holding it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
import uuid_utils.compat as uuid_utils
from pydantic_core import to_json

from api_gateway.accept.acceptor import Acceptor, NotHeld
from api_gateway.accept.order import Answer, Hold, Order
from api_gateway.batches.repository import BatchOrder, BatchRepository, Tally
from api_gateway.batches.request import Item
from shared.errors import ApiError, Conflict, DatabaseUnavailable, Unavailable, Unprocessable
from shared.masking import Secrets
from shared.observability import discretion
from shared.schemas.envelope import failure_body
from shared.schemas.notifications import SendRequest

log = structlog.get_logger()

_CHUNK = 250
_CHUNKS_AT_ONCE = 2
"""Of all batches together: single sends have their connections, and their turns in between."""

_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Many:
    """The items of a batch, and what their orders have in common."""

    order: BatchOrder
    items: Sequence[Item]
    users: Sequence[int | None]
    traceparent: str | None
    fingerprint_key: bytes


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The body of the answer; `replayed` when the same key was answered before."""

    body: bytes
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Done:
    """An item that was committed before, when its batch was taken up half-way."""

    id: UUID


_Decision = Answer | ApiError | _Done


class BatchAcceptor:
    """The way in for batches."""

    def __init__(self, acceptor: Acceptor, batches: BatchRepository) -> None:
        self._acceptor = acceptor
        self._batches = batches
        self._turns = asyncio.Semaphore(_CHUNKS_AT_ONCE)

    async def accept(self, many: Many) -> BatchAnswer:
        """Accepts a batch, waits for who takes the same one up, or answers as before."""
        order = many.order
        hold = Hold(order.id, uuid4())
        if await self._batches.begin(order, hold.holder):
            answer = await self._take_up(many, hold, {}, is_cancelled=False)
            if answer is not None:
                return answer
        return await self._follow(many)

    async def _follow(self, many: Many) -> BatchAnswer:
        """The answer of a batch that was begun before; completes it if nobody does."""
        batch_id = await self._known(many.order)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    row = await self._batches.standing(batch_id)
                    if row is None:
                        break
                    if row["answer"] is not None:
                        return BatchAnswer(row["answer"], replayed=True)
                    if not row["is_held"] and (answer := await self._complete(many, row)):
                        return answer
                    await asyncio.sleep(_LOOK_SECONDS)
        raise Unavailable("The same batch is being taken up at this moment. Try again.")

    async def _known(self, order: BatchOrder) -> UUID:
        if order.key is None:
            return order.id
        known = await self._batches.known(order)
        if known is None:
            raise Unavailable("The idempotency key has just ended. Try again.")
        fingerprint, batch_id = known
        if fingerprint != order.fingerprint:
            raise Unprocessable(
                "This idempotency key was used with another body. Use a new key for a new request.",
                code="idempotency_key_reused",
            )
        return batch_id

    async def _complete(self, many: Many, row: Any) -> BatchAnswer | None:
        """Takes a batch up that was left half-way; None if somebody else does."""
        hold = Hold(row["id"], uuid4())
        if not await self._batches.take_over(hold, many.order.held_for):
            return None
        done = await self._batches.taken_up(hold.batch_id)
        is_cancelled = row["cancelled_at"] is not None
        return await self._take_up(many, hold, done, is_cancelled=is_cancelled)

    async def _take_up(
        self, many: Many, hold: Hold, done: Mapping[int, UUID], *, is_cancelled: bool
    ) -> BatchAnswer | None:
        """Commits what is left to do, and the answer; None when the hold was lost meanwhile."""
        decided: list[_Decision | None] = [None] * len(many.items)
        left = []
        for position, item in enumerate(many.items):
            if position in done:
                decided[position] = _Done(done[position])
            elif isinstance(item, ApiError):
                decided[position] = item
            elif is_cancelled:
                decided[position] = _cancelled()
            else:
                left.append(position)
        await self._decide(many, hold, left, decided)
        decisions = [one or _unexpected() for one in decided]
        try:
            return await self._conclude(many, hold, decisions)
        except DatabaseUnavailable:
            return _honest(many, hold, decisions)

    async def _decide(
        self, many: Many, hold: Hold, left: Sequence[int], decided: list[_Decision | None]
    ) -> None:
        """Goes through the chunks; once PostgreSQL is lost, what follows is told so at once."""
        chunks = [left[at : at + _CHUNK] for at in range(0, len(left), _CHUNK)]
        lost: list[DatabaseUnavailable] = []

        async def do(chunk: Sequence[int]) -> None:
            async with self._turns:
                orders = [_order(many, hold, position) for position in chunk] if not lost else []
                decisions = lost * len(chunk) if lost else await self._accepted(orders)
            lost.extend(d for d in decisions[:1] if isinstance(d, DatabaseUnavailable))
            del lost[1:]
            for position, decision in zip(chunk, decisions, strict=True):
                decided[position] = decision

        await asyncio.gather(*map(do, chunks))

    async def _accepted(self, orders: list[Order]) -> Sequence[Answer | ApiError]:
        discretion.keep(*(Secrets(order.request.variables, None) for order in orders))
        try:
            return await self._acceptor.accept_all(orders)
        except ApiError as error:
            return [error] * len(orders)
        except Exception:
            log.exception("a part of a batch failed")
            return [_unexpected()] * len(orders)

    async def _conclude(
        self, many: Many, hold: Hold, decisions: list[_Decision]
    ) -> BatchAnswer | None:
        if any(isinstance(one, NotHeld) for one in decisions):
            row = await self._batches.standing(hold.batch_id)
            if row is None or row["cancelled_at"] is None:
                return None
            decisions = [_cancelled() if isinstance(d, NotHeld) else d for d in decisions]
        if any(isinstance(one, DatabaseUnavailable) for one in decisions):
            # It is not over: the same call under the same key completes it.
            await self._batches.let_go(hold)
            return _honest(many, hold, decisions)
        answer, tally = _told(many, hold, decisions)
        kept = answer if many.order.key else None
        return BatchAnswer(answer) if await self._batches.finish(hold, tally, kept) else None


def _order(many: Many, hold: Hold, position: int) -> Order:
    request = many.items[position]
    assert isinstance(request, SendRequest)  # noqa: S101 - for the type checker
    return Order(
        id=uuid_utils.uuid7(),
        request=request,
        caller=many.order.caller,
        correlation_id=many.order.correlation_id,
        traceparent=many.traceparent,
        idempotency_key=request.request_id,
        fingerprint_key=many.fingerprint_key,
        created_at=datetime.now(UTC),
        hold=hold,
        position=position,
    )


def _honest(many: Many, hold: Hold, decisions: Sequence[_Decision]) -> BatchAnswer:
    """The answer while PostgreSQL is away; an error where it has taken nothing at all."""
    if not any(isinstance(one, Answer | _Done) for one in decisions):
        lost = next((d for d in decisions if isinstance(d, DatabaseUnavailable)), None)
        if lost is not None:
            raise lost
    return BatchAnswer(_told(many, hold, decisions)[0])


def _told(many: Many, hold: Hold, decisions: Sequence[_Decision]) -> tuple[bytes, Tally]:
    results, refused, replayed = [], Counter[str](), 0
    for decision, user in zip(decisions, many.users, strict=True):
        request_id, error, is_replayed = None, None, False
        if isinstance(decision, ApiError):
            failure = failure_body(decision)
            error = {**failure["error"], "message": failure["message"]}
            refused[decision.error_code] += 1
        elif isinstance(decision, _Done):
            request_id = decision.id
        else:
            request_id, is_replayed = decision.accepted.request_id, decision.replayed
            replayed += is_replayed
        results.append(
            {"request_id": request_id, "user_id": user, "replayed": is_replayed, "error": error}
        )
    total = len(results)
    tally = Tally(total - refused.total(), replayed, refused)
    body = {
        "success": True,
        "data": {
            "batch_id": hold.batch_id,
            "total": total,
            "accepted": tally.accepted,
            "refused": refused.total(),
            "correlation_id": many.order.correlation_id,
            "results": results,
        },
        "error": None,
        "message": f"{tally.accepted} of {total} notifications queued",
        "meta": None,
    }
    return to_json(body), tally


def _cancelled() -> Conflict:
    return Conflict("The batch was cancelled before this was accepted.", code="batch_cancelled")


def _unexpected() -> ApiError:
    return ApiError("The service met an unexpected error; its log has the trace.")
