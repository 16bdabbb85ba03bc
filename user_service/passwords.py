"""Passwords become argon2id hashes, on threads of their own: the loop goes on meanwhile."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from pydantic import SecretStr

from shared.errors import Unavailable

# OWASP's recommendation for argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Passwords:
    """Hashes a bounded number of passwords at once, and lets a bounded number wait."""

    def __init__(self, *, threads: int = 2, most_waiting: int = 200) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._most_waiting = most_waiting
        self._waiting = 0

    async def hashed(self, password: SecretStr) -> str:
        """The hash in argon2's own encoding; raises Unavailable when too many wait."""
        if self._waiting >= self._most_waiting:
            raise Unavailable("Too many passwords are being set at once. Try again shortly.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, _HASHER.hash, password.get_secret_value()
            )
        finally:
            self._waiting -= 1
