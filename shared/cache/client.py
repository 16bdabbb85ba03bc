"""Redis as the suite sees it: quick, bounded, and possibly not there."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import hiredis
import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.cache.script import Script
from shared.errors import BreakerOpen, CacheUnavailable
from shared.resilience.breaker import Breaker
from shared.resilience.deadline import answered_within

log = structlog.get_logger()

_PROBE_SECONDS = 0.25
_SHORTEST_PAUSE_SECONDS = 0.05

_NOT_REACHED = (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError)


class RestartedError(RedisError):
    """Redis is not the run that the keys at hand were made for."""


class _Pool(BlockingConnectionPool):
    """A bounded pool that has each connection greeted, whenever it is made anew."""

    greet: Callable[[AbstractConnection], Awaitable[None]]

    def make_connection(self) -> AbstractConnection:
        connection: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]
        connection.register_connect_callback(self.greet)  # type: ignore[no-untyped-call]
        connection.pack_command = _packed  # type: ignore[method-assign]
        return connection


def _packed(*words: Any) -> list[bytes]:
    """The library does in Python what hiredis does in a fiftieth of the time."""
    return [hiredis.pack_command(words)]


class Cache:
    """Client of one Redis; a resource that heals by itself.

    Every failure is CacheUnavailable, after at most `timeout` seconds (pool, connection and
    command together). Nothing is ever repeated. After `failures` in a row, calls fail at once
    until Redis has answered a probe; no call of anybody is the probe.

    `key` carries the `run_id` of the Redis that answers: after a restart, everything that was
    cached is under names that nobody asks for any more. Each new connection reads the run_id;
    a command whose keys were made for another run fails. So make keys and use them without an
    `await` between. `durable_key` is for what shall outlive a restart (claims, limits).
    Stacks that share a Redis need a `namespace` each.
    """

    name = "redis"
    essential = False

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "carillon",
        timeout: float = 0.5,
        max_connections: int = 32,
        failures: int = 2,
    ) -> None:
        self._namespace = namespace
        self._timeout = timeout
        self._breaker = Breaker(
            self.name, failures=failures, recovery_seconds=_PROBE_SECONDS, counts=_NOT_REACHED
        )
        self._breaker.on_opened(self._begin_probing)
        self._probing: asyncio.Task[None] | None = None
        self._pool = _Pool.from_url(
            url,
            max_connections=max_connections,
            timeout=None,  # the deadline of `_reaching` bounds this wait too
            socket_timeout=None,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            protocol=2,
        )
        self._pool.greet = self._greet
        self._redis = Redis(connection_pool=self._pool)
        self._execute: Callable[..., Awaitable[Any]] = self._redis.execute_command
        self._run_id: str | None = None
        self._clock_skew = 0.0
        self._greeting: asyncio.Task[None] | None = None
        self._last_refusal = ""

    async def open(self) -> None:
        """Tries to reach Redis once; its absence is no reason to wait."""
        await self._try_to_reach()

    async def close(self) -> None:
        tasks = [task for task in (self._greeting, self._probing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._greeting = self._probing = None
        await self._redis.aclose()
        await self._pool.aclose()

    async def ping(self) -> None:
        """Raises CacheUnavailable when Redis does not answer; passes the breaker by."""
        with self._translated():
            async with asyncio.timeout(self._timeout):
                try:
                    await self._execute("PING")
                except RestartedError:
                    await self._execute("PING")

    def key(self, kind: str, ident: object) -> str:
        """Name of a cached value, good until Redis restarts; CacheUnavailable before it was met."""
        if self._run_id is None:
            if self._greeting is None or self._greeting.done():
                self._greeting = asyncio.create_task(self._try_to_reach())
            raise CacheUnavailable("Redis was not reached yet")
        return f"{self._namespace}:{self._run_id}:{kind}:{ident}"

    def durable_key(self, kind: str, ident: object) -> str:
        """Name of a value that outlives a restart of a Redis with AOF; give it a TTL."""
        return f"{self._namespace}:{kind}:{ident}"

    def server_time(self) -> float:
        """Now by Redis's own clock (seconds of Unix time), estimated when connecting.

        At most a round trip behind: an age told in it holds however long a command was on its way.
        """
        return time.time() + self._clock_skew

    def script(self, lua: str) -> Script:
        """A Lua script that runs in one round trip."""
        return Script(lua, self.pipeline)

    async def command(self, *words: str | bytes | float) -> Any:
        """One Redis command; values come back as bytes."""
        async with self._reaching():
            return await self._execute(*words)

    async def pipeline(self, commands: Sequence[Sequence[str | bytes | float]]) -> list[Any]:
        """Many commands in one round trip, each answered by its value.

        The answer to a call of a script that Redis does not know is the NoScriptError itself.
        """
        if len(commands) == 1:
            # The library's pipeline costs as much again as the command.
            async with self._reaching():
                try:
                    return [await self._execute(*commands[0])]
                except NoScriptError as error:
                    return [error]
        async with self._reaching(), self._redis.pipeline(transaction=False) as pipe:
            for words in commands:
                pipe.execute_command(*words)
            answers = await pipe.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, ResponseError) and not isinstance(answer, NoScriptError):
                    raise answer
            return answers

    @asynccontextmanager
    async def _reaching(self) -> AsyncIterator[None]:
        run_id = self._run_id
        with self._translated():
            if self._breaker.state != "closed":
                raise BreakerOpen(self.name, self._breaker.retry_after)
            with self._breaker.guard():
                async with answered_within(self._timeout):
                    yield
                if run_id is not None and self._run_id != run_id:
                    raise RestartedError("Redis was restarted meanwhile")

    def _begin_probing(self) -> None:
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        while self._breaker.state != "closed":
            await asyncio.sleep(max(self._breaker.retry_after, _SHORTEST_PAUSE_SECONDS))
            with contextlib.suppress(CacheUnavailable), self._translated(), self._breaker.guard():
                async with answered_within(self._timeout):
                    await self._execute("PING")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ResponseError as error:
            self._refused(str(error))
            raise CacheUnavailable(f"Redis refuses: {error}") from error
        except TimeoutError as error:
            raise CacheUnavailable(f"Redis gave no answer within {self._timeout:g} s") from error
        except (RedisError, OSError) as error:
            raise CacheUnavailable(f"Redis cannot be reached: {error}") from error
        except BreakerOpen as error:
            raise CacheUnavailable("Redis did not answer a moment ago") from error

    def _refused(self, problem: str) -> None:
        if problem != self._last_refusal:
            self._last_refusal = problem
            log.error("redis refuses a command", error=problem)

    async def _try_to_reach(self) -> None:
        with contextlib.suppress(CacheUnavailable):
            await self.command("PING")

    async def _greet(self, connection: AbstractConnection) -> None:
        """Learns which run of Redis a new connection leads to."""
        try:
            await connection.send_command("INFO", "server")
            facts = _facts(await connection.read_response())
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        known, self._run_id = self._run_id, facts["run_id"]
        self._clock_skew = int(facts["server_time_usec"]) / 1e6 - time.time()
        if known not in (None, self._run_id):
            log.info("redis was restarted: the cache is cold")
            raise RestartedError("Redis was restarted")


def _facts(info: bytes) -> dict[str, str]:
    lines = info.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
