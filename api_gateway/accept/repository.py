"""What accept says to PostgreSQL."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from api_gateway.accept import statements
from api_gateway.accept.order import Known, Order
from api_gateway.columns import columns, joined
from shared.database import Database

Key = tuple[int, str]


class Acceptances:
    """Idempotency keys, notifications and outbox rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, keys: Sequence[Key]) -> dict[Key, Known]:
        """What stands under these idempotency keys."""
        if not keys:
            return {}
        async with self._database.driver() as connection:
            rows = await connection.fetch(
                statements.KNOWN_KEYS, [key[0] for key in keys], [key[1] for key in keys]
            )
        return {
            (row["api_key_id"], row["key"]): Known(row["fingerprint"], row["answer"])
            for row in rows
        }

    async def insert(self, orders: Sequence[Order], lease: timedelta) -> set[UUID]:
        """Commits the orders; the ids that are new: the others lost a race for their key.

        Their outbox rows are leased to this process. All are single sends, or all of one batch:
        then none is new if the hold on it is lost.
        """
        hold = orders[0].hold
        in_order = sorted(orders, key=lambda order: order.key or (0, ""))
        async with self._database.driver() as connection:
            rows = await connection.fetch(
                statements.ACCEPT,
                *columns(map(_row, in_order)),
                lease,
                hold.batch_id if hold else None,
                hold.holder if hold else None,
            )
        return {row["id"] for row in rows}

    async def forget_old_keys(self, most: int) -> bool:
        """Forgets up to `most` keys; whether there may be more."""
        async with self._database.driver() as connection:
            done: str = await connection.execute(statements.FORGET_OLD_KEYS, most)
        return done == f"DELETE {most}"


def _json(value: dict[str, Any]) -> str:
    return to_json(value).decode() if value else "{}"


def _row(order: Order) -> tuple[Any, ...]:
    request = order.request
    keyed = order.idempotency_key is not None
    return (
        order.id,
        order.api_key_id,
        order.idempotency_key,
        order.fingerprint() if keyed else b"",
        order.answer().model_dump_json() if keyed else "{}",
        order.caller.mode.value,
        request.user_id,
        request.channel.value,
        request.priority.value,
        request.priority.rank,
        request.category,
        request.template_id,
        order.template_version,
        request.locale,
        _json(request.variables),
        joined(order.sensitive),
        _json(request.metadata),
        order.correlation_id,
        order.traceparent,
        order.created_at,
        order.expires_at,
        order.on_unknown,
        order.written().body,
        order.position,
    )
