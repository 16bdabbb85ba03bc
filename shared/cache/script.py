"""A Lua script in Redis, called by its digest and sent whole only when Redis does not know it."""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError

Word = str | bytes | float
Keys = Sequence[str]
Arguments = Sequence[Word]
Pipeline = Callable[[Sequence[Sequence[Word]]], Awaitable[list[Any]]]


class Script:
    """One script, for many calls; a call returns what the script returns.

    Each call is atomic by itself, not several together. Raises CacheUnavailable.
    """

    def __init__(self, lua: str, pipeline: Pipeline) -> None:
        self._lua = lua
        self._digest = sha1(lua.encode(), usedforsecurity=False).hexdigest()
        self._pipeline = pipeline

    async def __call__(self, keys: Keys, arguments: Arguments = ()) -> Any:
        return (await self.run_many([(keys, arguments)]))[0]

    async def run_many(self, calls: Sequence[tuple[Keys, Arguments]]) -> list[Any]:
        """Many calls in one round trip, independent of each other; one result for each in order."""
        commands = [
            ("EVALSHA", self._digest, len(keys), *keys, *arguments) for keys, arguments in calls
        ]
        results = await self._pipeline(commands)
        unknown = [n for n, result in enumerate(results) if isinstance(result, NoScriptError)]
        if unknown:
            again = await self._pipeline([("EVAL", self._lua, *commands[n][2:]) for n in unknown])
            for n, result in zip(unknown, again, strict=True):
                results[n] = result
        return results
