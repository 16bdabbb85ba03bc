"""The key ring: who holds a key, remembered in the process, forgotten at once when revoked."""

import asyncio
import contextlib
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog

from api_gateway.keys.repository import REVOKED_CHANNEL, ApiKeyRepository
from shared.background import Background, Job
from shared.batching import Gatherer
from shared.errors import DatabaseUnavailable
from shared.resilience.schedule import backoff
from shared.schemas.access import Caller, Scope
from shared.schemas.vocabulary import Mode

log = structlog.get_logger()

_MOST = 10_000
_NOTE_USE_SECONDS = 5.0
_LIVENESS_SECONDS = 3.0
_PREFIX_LENGTH = 12


def make_key(mode: Mode) -> str:
    """A new secret: 192 random bits, so that its plain SHA-256 is safe to store."""
    return f"ck_{mode}_{secrets.token_urlsafe(24)}"


def hash_of(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def prefix_of(key: str) -> str:
    """What is shown of a key."""
    return key[:_PREFIX_LENGTH]


class KeyRing(Background):
    """An Authenticator.

    It listens for revocations on a connection of its own; while that is lost it remembers nothing
    and asks PostgreSQL each time.
    """

    name = "key-ring"

    def __init__(
        self, repository: ApiKeyRepository, database_url: str, bootstrap_key: str | None
    ) -> None:
        super().__init__()
        self._repository = repository
        self._database_url = database_url
        self._bootstrap_key = bootstrap_key
        self._held: OrderedDict[bytes, Caller] = OrderedDict()
        self._look_up = Gatherer(self._find, max_items=100)
        self._listening = False
        self._epoch = 0
        self._used: set[int] = set()

    def jobs(self) -> Sequence[Job]:
        return self._listen, self._note_use

    async def open(self) -> None:
        if self._bootstrap_key is not None:
            await self._repository.add_if_missing(
                name="bootstrap",
                prefix=prefix_of(self._bootstrap_key),
                key_hash=hash_of(self._bootstrap_key),
            )
        await super().open()

    async def ping(self) -> None:
        if not self._listening:
            raise DatabaseUnavailable("not listening for revoked keys; every key is looked up")

    async def __call__(self, key: str) -> Caller | None:
        digest = hash_of(key)
        caller = self._held.get(digest)
        if caller is None:
            epoch = self._epoch
            caller = await self._look_up(digest)
            # A revocation that came meanwhile may be newer than what was read.
            if caller is not None and self._listening and epoch == self._epoch:
                self._held[digest] = caller
                while len(self._held) > _MOST:
                    self._held.popitem(last=False)
        if caller is not None and caller.key_id is not None:
            self._used.add(caller.key_id)
        return caller

    async def _find(self, hashes: list[bytes]) -> Sequence[Caller | None]:
        rows = await self._repository.find(hashes)
        return [_caller(rows[digest]) if digest in rows else None for digest in hashes]

    def forget(self, key_id: int) -> None:
        """Drops a key that was revoked."""
        self._epoch += 1
        for digest in [d for d, caller in self._held.items() if caller.key_id == key_id]:
            del self._held[digest]

    def _forget_all(self) -> None:
        self._epoch += 1
        self._held.clear()

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                connection = await asyncpg.connect(self._database_url, timeout=5)
            except (OSError, TimeoutError, asyncpg.PostgresError):
                failures += 1
                await asyncio.sleep(backoff(failures, base=0.2, cap=5))
                continue
            failures = 0
            try:
                await self._hear(connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("lost the subscription to revoked keys", detail=str(error))
            finally:
                self._listening = False
                self._forget_all()
                connection.terminate()

    async def _hear(self, connection: Any) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(REVOKED_CHANNEL, lambda *heard: self.forget(int(heard[-1])))
        self._forget_all()
        self._listening = True
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), _LIVENESS_SECONDS)
            await connection.execute("SELECT 1", timeout=_LIVENESS_SECONDS)

    async def _note_use(self) -> None:
        while True:
            await asyncio.sleep(_NOTE_USE_SECONDS)
            if used := self._used:
                self._used = set()
                with contextlib.suppress(DatabaseUnavailable):
                    await self._repository.note_use(used)


def _caller(row: Any) -> Caller:
    return Caller(
        key_id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes)),
        mode=Mode(row.mode),
    )
