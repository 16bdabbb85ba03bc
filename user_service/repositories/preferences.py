"""Queries on preferences: one row for each user, made with them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.schemas.profile import TargetKind
from shared.schemas.users import Preferences
from user_service.models import devices, preferences

# A field that is not given keeps what stands, or takes the default of a new row.
_PUT_MANY = text("""
    INSERT INTO preferences AS kept
        (user_id, email_enabled, push_enabled, sms_enabled, language, timezone)
    SELECT user_id, coalesce((given ->> 'email_enabled')::boolean, true),
        coalesce((given ->> 'push_enabled')::boolean, true),
        coalesce((given ->> 'sms_enabled')::boolean, true),
        given ->> 'language', given ->> 'timezone'
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS entry (user_id bigint, given jsonb)
    ON CONFLICT (user_id) DO NOTHING
""")


async def add_many(
    connection: AsyncConnection, rows: Sequence[tuple[int, Mapping[str, Any]]]
) -> None:
    """The first preferences of new users: what is given, else the defaults."""
    entries = [{"user_id": user_id, "given": dict(given)} for user_id, given in rows]
    await connection.execute(_PUT_MANY, {"rows": json.dumps(entries)})
