"""Queries on preferences: one row for each user, made with them."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.schemas.profile import TargetKind
from shared.schemas.users import Preferences
from user_service.models import devices, preferences

_ADD = text("INSERT INTO preferences (user_id) SELECT unnest(CAST(:ids AS bigint[]))")

# Null clears a language or time zone, so "not given" is the missing key, not null.
_CHANGE = text("""
    UPDATE preferences AS kept SET
        email_enabled = coalesce(CAST(given ->> 'email_enabled' AS boolean), kept.email_enabled),
        push_enabled = coalesce(CAST(given ->> 'push_enabled' AS boolean), kept.push_enabled),
        sms_enabled = coalesce(CAST(given ->> 'sms_enabled' AS boolean), kept.sms_enabled),
        language = CASE WHEN given ? 'language' THEN given ->> 'language' ELSE kept.language END,
        timezone = CASE WHEN given ? 'timezone' THEN given ->> 'timezone' ELSE kept.timezone END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS entry (user_id bigint, given jsonb)
    WHERE kept.user_id = entry.user_id
""")


async def add(connection: AsyncConnection, user_ids: Collection[int]) -> None:
    """The defaults, for new users."""
    await connection.execute(_ADD, {"ids": list(user_ids)})


async def change(connection: AsyncConnection, given: Mapping[int, Mapping[str, Any]]) -> None:
    """For each user the fields that are given; the others stay."""
    rows = [{"user_id": user_id, "given": dict(fields)} for user_id, fields in given.items()]
    await connection.execute(_CHANGE, {"rows": json.dumps(rows)})


async def read(connection: AsyncConnection, user_id: int) -> Preferences | None:
    """None when there is no such user."""
    newest_token = (
        select(devices.c.value)
        .where(
            devices.c.user_id == user_id,
            devices.c.kind == TargetKind.FCM_TOKEN,
            devices.c.active,
        )
        .order_by(devices.c.updated_at.desc(), devices.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = select(preferences, newest_token.label("push_token")).where(
        preferences.c.user_id == user_id
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Preferences.model_validate(dict(row))
