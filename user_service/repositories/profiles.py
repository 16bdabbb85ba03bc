"""The query that channel workers live on: everything a delivery must know, for many users."""

from collections.abc import Collection
from functools import cache

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.schemas.profile import Profile, PushTarget
from shared.schemas.vocabulary import Channel

MAX_ID = 2**63 - 1
DEVICES_PER_PROFILE = 100

_READ = text("""
    SELECT users.id, users.version, users.active, users.email, users.phone_number,
        kept.language, kept.timezone, kept.email_enabled, kept.push_enabled, kept.sms_enabled,
        (
            SELECT json_agg(json_build_array(newest.id::text, newest.kind, newest.value))
            FROM (
                SELECT id, kind, value FROM devices
                WHERE devices.user_id = users.id AND devices.active
                ORDER BY id DESC LIMIT :devices
            ) AS newest
        ) AS devices
    FROM users JOIN preferences AS kept ON kept.user_id = users.id
    WHERE users.id = ANY(:ids)
""")


async def read(connection: AsyncConnection, user_ids: Collection[int]) -> list[Profile]:
    """The profiles of the users that exist, each with its newest active devices."""
    ids = [user_id for user_id in user_ids if 0 < user_id <= MAX_ID]
    rows = await connection.execute(_READ, {"ids": ids, "devices": DEVICES_PER_PROFILE})
    return [_profile(row) for row in rows]


def _profile(row: Row[tuple[object, ...]]) -> Profile:
    return Profile(
        user_id=row.id,
        version=row.version,
        active=row.active,
        email=row.email,
        phone_number=row.phone_number,
        devices=tuple(
            PushTarget(id=ident, kind=kind, value=value) for ident, kind, value in row.devices
        )
        if row.devices
        else (),
        language=row.language,
        timezone=row.timezone,
        enabled=_enabled(row.email_enabled, row.push_enabled, row.sms_enabled),
    )


@cache
def _enabled(*allowed: bool) -> frozenset[Channel]:
    channels = (Channel.EMAIL, Channel.PUSH, Channel.SMS)
    return frozenset(channel for channel, yes in zip(channels, allowed, strict=True) if yes)
