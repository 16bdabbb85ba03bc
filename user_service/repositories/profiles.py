"""The query that channel workers live on: everything a delivery must know, for many users."""

from collections.abc import Collection

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.schemas.profile import Profile

MAX_ID = 2**63 - 1
DEVICES_PER_PROFILE = 100

# One JSON text for all of them, in the profile's own fields: read in one step, not row by row.
_READ = text("""
    SELECT CAST(coalesce(json_agg(profile), '[]') AS text) FROM (
        SELECT users.id AS user_id, users.version, users.active, users.email, users.phone_number,
            kept.language, kept.timezone,
            array_remove(ARRAY[
                CASE WHEN kept.email_enabled THEN 'email' END,
                CASE WHEN kept.push_enabled THEN 'push' END,
                CASE WHEN kept.sms_enabled THEN 'sms' END
            ], NULL) AS enabled,
            coalesce((
                SELECT json_agg(newest) FROM (
                    SELECT CAST(id AS text), kind, value FROM devices
                    WHERE devices.user_id = users.id AND devices.active
                    ORDER BY devices.id DESC LIMIT :devices
                ) AS newest
            ), '[]') AS devices
        FROM users JOIN preferences AS kept ON kept.user_id = users.id
        WHERE users.id = ANY(:ids)
    ) AS profile
""")

_PROFILES = TypeAdapter(list[Profile])


async def read(connection: AsyncConnection, user_ids: Collection[int]) -> list[Profile]:
    """The profiles of the users that exist, each with its newest active devices."""
    ids = [user_id for user_id in user_ids if 0 < user_id <= MAX_ID]
    if not ids:
        return []
    found = await connection.execute(_READ, {"ids": ids, "devices": DEVICES_PER_PROFILE})
    return _PROFILES.validate_json(found.scalar_one())
