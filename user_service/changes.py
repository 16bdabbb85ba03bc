"""Every change of a person goes one way: lock, write, grow the version, commit, tell the cache.

The row lock orders the versions, and the cache keeps the highest: whoever writes last, the newest
profile stands. A send is licensed only on the version that the cache holds.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cache.profiles import PROFILE_TTL_SECONDS, ProfileCache
from shared.database import Database
from shared.errors import CacheUnavailable, NotFound, Unavailable
from shared.schemas.profile import Profile
from user_service.repositories import profiles, users

log = structlog.get_logger()

Result = TypeVar("Result")

_TRIES = 8


class Overtaken(Exception):
    """Another change came in between; with a fresh look this one will fit."""


@dataclass(frozen=True, slots=True)
class Changed(Generic[Result]):
    """What a change brought; `effective_at` is set when cached profiles must run out first."""

    value: Result
    effective_at: datetime | None


class Change:
    """One transaction, and the users whose profiles it changes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.touched: set[int] = set()
        self.forgotten: dict[int, int] = {}

    async def touch(self, user_ids: Iterable[int]) -> None:
        """Locks these users and grows their versions, once; those that do not exist are let be."""
        new = set(user_ids) - self.touched
        if new:
            self.touched |= await users.lock_and_grow(self.connection, new)

    async def touch_user(self, user_id: int, *, along: Collection[int] = ()) -> None:
        """The same for one user, and others along; raises NotFound when there is no such user."""
        await self.touch({user_id, *along})
        if user_id not in self.touched:
            raise no_such_user(user_id)

    def forget(self, user_id: int, last_version: int) -> None:
        """The user is deleted."""
        self.forgotten[user_id] = last_version + 1


class Changes:
    """Runs changes to their end, the cache included."""

    def __init__(self, database: Database, cache: ProfileCache) -> None:
        self._database = database
        self._cache = cache

    async def make(self, work: Callable[[Change], Awaitable[Result]]) -> Changed[Result]:
        """Runs `work` in a transaction, again from the start while it is overtaken."""
        for _ in range(_TRIES):
            try:
                async with self._database.transaction() as connection:
                    change = Change(connection)
                    result = await work(change)
                    newest = await profiles.read(connection, change.touched)
            except (Overtaken, DBAPIError) as error:
                if not _may_repeat(error):
                    raise
                continue
            return Changed(result, await self._tell(newest, change.forgotten))
        raise Unavailable("Too many changes of the same users at once. Try again shortly.")

    async def _tell(self, newest: list[Profile], forgotten: dict[int, int]) -> datetime | None:
        try:
            await self._cache.put_many(newest)
            for user_id, version in forgotten.items():
                await self._cache.forget(user_id, version)
        except CacheUnavailable as error:
            log.warning("the cache was not told of a change", error=str(error))
            return datetime.now(UTC) + timedelta(seconds=PROFILE_TTL_SECONDS)
        return None


def _may_repeat(error: Overtaken | DBAPIError) -> bool:
    if isinstance(error, Overtaken):
        return True
    return isinstance(error.driver_exception, asyncpg.TransactionRollbackError)


def no_such_user(user_id: int) -> NotFound:
    """What a caller is told who asks for a user that does not exist."""
    return NotFound(f"There is no user {user_id}.")
