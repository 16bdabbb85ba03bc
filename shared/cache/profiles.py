"""Profiles in Redis, each with its version: a slow writer never replaces a newer one.

An entry is text, `<version>|<profile as JSON>`; nothing after the bar is a tombstone: the user is
deleted, as of that version. Another script compares versions with

    tonumber(string.match(redis.call('GETRANGE', key, 0, 20), '^(%d+)|'))

which is nil where there is no entry.
"""

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from shared.cache.client import Cache
from shared.errors import CacheUnavailable
from shared.schemas.profile import Profile

PROFILE_TTL_SECONDS = 30

_TOMBSTONE_TTL_SECONDS = 2 * PROFILE_TTL_SECONDS  # outlives whatever was read before the deletion

# ARGV: when the entries were read (Redis's clock, ms), their time to live (ms), and a version and
# a body for each key. A command may reach Redis long after it was sent, so the life of an entry
# counts from its reading. Returns 0 when that life is over, and nothing was written.
_STORE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life = math.min(tonumber(ARGV[2]), ARGV[1] + ARGV[2] - now)
if life < 1 then return 0 end
for i, key in ipairs(KEYS) do
  local version, body = ARGV[2 * i + 1], ARGV[2 * i + 2]
  local held, rest = string.match(redis.call('GETRANGE', key, 0, 20), '^(%d+)|(.?)')
  local age = held and tonumber(version) - tonumber(held) or 1
  if age > 0 or (age == 0 and (rest ~= '' or body == '')) then
    redis.call('SET', key, version .. '|' .. body, 'PX', string.format('%d', life))
  end
end
return 1
"""


def profile_key(cache: Cache, user_id: int) -> str:
    """Where a user's entry is, in the Redis that runs now; raises CacheUnavailable."""
    return cache.key("profile", user_id)


class ProfileCache:
    """Profiles that any worker may use for `PROFILE_TTL_SECONDS` after they were read.

    Every method raises CacheUnavailable when Redis was not told, or did not tell.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._store = cache.script(_STORE)

    async def get_many(self, user_ids: Sequence[int]) -> dict[int, Profile]:
        """The profiles that are cached; deleted users and unreadable entries are not."""
        if not user_ids:
            return {}
        keys = [profile_key(self._cache, user_id) for user_id in user_ids]
        entries: list[bytes | None] = await self._cache.command("MGET", *keys)
        profiles = {}
        for user_id, entry in zip(user_ids, entries, strict=True):
            if entry is not None and (profile := _read(entry)) is not None:
                profiles[user_id] = profile
        return profiles

    async def put_many(self, profiles: Iterable[Profile], *, age: float = 0.0) -> None:
        """Writes each profile unless a newer one, or its user's tombstone, is there.

        `age` is how many seconds ago they began to be read from their owner.
        """
        entries = [(p.user_id, p.version, p.model_dump_json()) for p in profiles]
        await self._write(entries, age=age, ttl=PROFILE_TTL_SECONDS)

    async def forget(self, user_id: int, version: int) -> None:
        """Leaves a tombstone for a user that was deleted: nothing up to `version` comes back."""
        await self._write([(user_id, version, "")], age=0.0, ttl=_TOMBSTONE_TTL_SECONDS)

    async def _write(
        self, entries: Sequence[tuple[int, int, str]], *, age: float, ttl: int
    ) -> None:
        if not entries:
            return
        read_at = self._cache.server_time() - age
        keys = [profile_key(self._cache, user_id) for user_id, _, _ in entries]
        words: list[str | int] = [round(read_at * 1000), ttl * 1000]
        for _, version, body in entries:
            words += [version, body]
        if not await self._store(keys, words):
            raise CacheUnavailable("Redis was told too late")


def _read(entry: bytes) -> Profile | None:
    _, _, body = entry.partition(b"|")
    if not body:
        return None
    try:
        return Profile.model_validate_json(body)
    except ValidationError:
        return None
