"""Queries on API keys."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api_gateway.models import api_keys
from shared.database import Database
from shared.schemas.access import Scope
from shared.schemas.vocabulary import Mode

REVOKED_CHANNEL = "api_key_revoked"


class ApiKeyRepository:
    """The table of API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, hashes: list[bytes]) -> dict[bytes, Any]:
        """Rows by hash, of keys that are not revoked."""
        query = select(api_keys).where(
            api_keys.c.key_hash.in_(hashes), api_keys.c.revoked_at.is_(None)
        )
        async with self._database.connect() as connection:
            return {row.key_hash: row for row in await connection.execute(query)}

    async def add(
        self, *, name: str, prefix: str, key_hash: bytes, scopes: Iterable[Scope], mode: Mode
    ) -> Any:
        statement = (
            insert(api_keys)
            .values(
                name=name,
                prefix=prefix,
                key_hash=key_hash,
                scopes=sorted(scopes),
                mode=mode,
            )
            .returning(api_keys)
        )
        async with self._database.connect() as connection:
            return (await connection.execute(statement)).one()

    async def add_if_missing(self, *, name: str, prefix: str, key_hash: bytes) -> None:
        """Makes the first admin key; a second start changes nothing, not even a revocation."""
        statement = upsert(api_keys).values(
            name=name, prefix=prefix, key_hash=key_hash, scopes=[Scope.ADMIN], mode=Mode.LIVE
        )
        async with self._database.connect() as connection:
            await connection.execute(statement.on_conflict_do_nothing())

    async def list(self, *, before: int | None, limit: int) -> list[Any]:
        """Newest first."""
        query = select(api_keys).order_by(api_keys.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(api_keys.c.id < before)
        async with self._database.connect() as connection:
            return list(await connection.execute(query))

    async def revoke(self, key_id: int) -> Any:
        """The revoked key, or None; every gateway is told before this returns."""
        statement = (
            update(api_keys)
            .where(api_keys.c.id == key_id)
            .values(revoked_at=func.coalesce(api_keys.c.revoked_at, func.now()))
            .returning(api_keys)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
            await connection.execute(
                text("SELECT pg_notify(:channel, :id)"),
                {"channel": REVOKED_CHANNEL, "id": str(key_id)},
            )
            return row

    async def note_use(self, key_ids: Iterable[int]) -> None:
        statement = (
            update(api_keys)
            .where(api_keys.c.id.in_(sorted(key_ids)))
            .values(last_used_at=func.now())
        )
        async with self._database.connect() as connection:
            await connection.execute(statement)
