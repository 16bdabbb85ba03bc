"""Profiles for a worker: from Redis, else from the user service, many in one request."""

import time
from collections.abc import Sequence

import structlog
from pydantic import BaseModel

from shared.batching import Gatherer
from shared.cache import ProfileCache
from shared.errors import CacheUnavailable, NeighbourUnavailable
from shared.http import Neighbour
from shared.schemas.profile import DeadDevice, Profile, ProfileAnswer, ProfileQuestion

log = structlog.get_logger()


class _Noted(BaseModel):
    """The answer to a report that needs none."""


class People:
    """Looks users up. No profile is kept in the process: it could not be told of a change."""

    def __init__(self, cache: ProfileCache, user_service: Neighbour) -> None:
        self._cache = cache
        self._user_service = user_service
        self._cached = Gatherer(self._look_up, max_items=500, max_running=4, every=0.01)
        self._fresh = Gatherer(self._ask, max_items=500, max_running=4)

    async def get(self, user_id: int) -> Profile | None:
        """The profile, at most as old as a cache entry; None for an unknown user.

        Raises NeighbourUnavailable when it is not cached and the user service does not answer.
        """
        return await self._cached(user_id)

    async def fresh(self, user_id: int) -> Profile | None:
        """The profile as the user service has it now."""
        return await self._fresh(user_id)

    async def report_dead(self, user_id: int, device_id: str, value: str) -> None:
        """Tells the user service that a provider calls this device's token dead."""
        question = DeadDevice(user_id=user_id, device_id=device_id, value=value)
        try:
            await self._user_service.ask("/internal/dead-devices", question, _Noted)
        except NeighbourUnavailable as error:
            # The next send meets the dead token again, and reports it again.
            log.warning("dead device not reported", device=device_id, detail=str(error))

    async def _look_up(self, user_ids: list[int]) -> Sequence[Profile | None]:
        wanted = list(dict.fromkeys(user_ids))
        try:
            found = await self._cache.get_many(wanted)
        except CacheUnavailable:
            found = {}
        if missing := [user_id for user_id in wanted if user_id not in found]:
            found |= await self._fetch(missing)
        return [found.get(user_id) for user_id in user_ids]

    async def _ask(self, user_ids: list[int]) -> Sequence[Profile | None]:
        found = await self._fetch(list(dict.fromkeys(user_ids)))
        return [found.get(user_id) for user_id in user_ids]

    async def _fetch(self, user_ids: list[int]) -> dict[int, Profile]:
        started = time.monotonic()
        question = ProfileQuestion(user_ids=user_ids)
        answer = await self._user_service.ask("/internal/profiles", question, ProfileAnswer)
        try:
            await self._cache.put_many(answer.profiles, age=time.monotonic() - started)
        except CacheUnavailable:
            log.debug("profiles not cached")
        return {profile.user_id: profile for profile in answer.profiles}
