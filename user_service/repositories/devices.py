"""Queries on devices. A device is only written under the lock of the user who has it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.schemas.profile import TargetKind
from shared.schemas.users import Device
from user_service.models import devices

_COLUMNS = [devices.c[name] for name in Device.model_fields]

_OWNERS = text("""
    SELECT devices.user_id
    FROM jsonb_to_recordset(CAST(:targets AS jsonb)) AS wanted (kind text, value text)
    JOIN devices ON devices.kind = wanted.kind AND devices.value = wanted.value
""")

_ASSIGN = text("""
    INSERT INTO devices AS held (user_id, kind, value)
    SELECT user_id, kind, value
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (user_id bigint, kind text, value text)
    ORDER BY kind, value
    ON CONFLICT (kind, value) DO UPDATE SET
        user_id = excluded.user_id, active = true, dead_since = NULL,
        updated_at = clock_timestamp()
    WHERE held.user_id = ANY(:locked)
    RETURNING id, kind, value, active, dead_since, created_at, updated_at, xmax = 0 AS is_new
""")


class Target(NamedTuple):
    """What a push provider knows a device by."""

    kind: TargetKind
    value: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """A device in its user's hands; `is_new` when the service had never seen it."""

    device: Device
    is_new: bool


async def owners(connection: AsyncConnection, targets: Collection[Target]) -> set[int]:
    """Who has these devices at the moment."""
    if not targets:
        return set()
    wanted = json.dumps([target._asdict() for target in targets])
    return {row.user_id for row in await connection.execute(_OWNERS, {"targets": wanted})}


async def assign(
    connection: AsyncConnection, wanted: Mapping[Target, int], *, locked: Collection[int]
) -> list[Assigned]:
    """Gives each device to a user and switches it on.

    One that belongs to a user outside of `locked` stays where it is and is missing in the answer.
    """
    if not wanted:
        return []
    rows = [{"user_id": user_id, **target._asdict()} for target, user_id in wanted.items()]
    assigned = await connection.execute(_ASSIGN, {"rows": json.dumps(rows), "locked": list(locked)})
    return [Assigned(Device.model_validate(row), row.is_new) for row in assigned]


async def page(
    connection: AsyncConnection, user_id: int, *, after: int, limit: int
) -> list[Device]:
    """The user's devices by id, after that one."""
    statement = (
        select(*_COLUMNS)
        .where(devices.c.user_id == user_id, devices.c.id > after)
        .order_by(devices.c.id)
        .limit(limit)
    )
    return [Device.model_validate(row) for row in await connection.execute(statement)]


async def remove(connection: AsyncConnection, user_id: int, device_id: int | None = None) -> int:
    """How many were removed: that one, or all of the user's."""
    statement = delete(devices).where(devices.c.user_id == user_id)
    if device_id is not None:
        statement = statement.where(devices.c.id == device_id)
    return (await connection.execute(statement)).rowcount


async def is_on(connection: AsyncConnection, user_id: int, device_id: int, value: str) -> bool:
    """Whether the user has this very device, and it is on."""
    found = await connection.execute(
        select(devices.c.id).where(*_same_and_on(user_id, device_id, value))
    )
    return found.one_or_none() is not None


async def switch_off(connection: AsyncConnection, user_id: int, device_id: int, value: str) -> bool:
    """Whether it was on, and still the same device of the same user."""
    statement = (
        update(devices)
        .where(*_same_and_on(user_id, device_id, value))
        .values(active=False, dead_since=func.now(), updated_at=func.clock_timestamp())
    )
    return (await connection.execute(statement)).rowcount > 0


def _same_and_on(user_id: int, device_id: int, value: str) -> list[ColumnElement[bool]]:
    return [
        devices.c.id == device_id,
        devices.c.user_id == user_id,
        devices.c.value == value,
        devices.c.active.is_(other=True),
    ]
