"""One connection to RabbitMQ that heals: it reconnects with backoff and says so once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from shared.background import is_ending
from shared.errors import BrokerUnavailable
from shared.messaging.failures import is_missing, tolerated, translated
from shared.messaging.topology import TOPOLOGY, Topology
from shared.resilience.schedule import backoff

log = structlog.get_logger()

_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_DECLARE_SECONDS = 4 * _CONNECT_SECONDS
_NOTICED_SECONDS = 1.0
_HEARTBEAT_SECONDS = 10
"""A connection that went silent is given up after about three of these."""
_BACKOFF_BASE, _BACKOFF_CAP = 0.2, 3.0


class Link:
    """A named connection; publishing and consuming take one each.

    RabbitMQ stops reading from a connection that publishes while it is out of memory or disk, and
    acks on the same one would starve.

    The library's own reconnecting connection waits a fixed time and restores topology that may
    have changed; here, whoever uses the link opens what it needs on each new connection.

    The topology is declared on each new connection, and again when somebody has deleted a part.
    """

    def __init__(
        self, url: str, name: str, *, essential: bool = False, topology: Topology = TOPOLOGY
    ) -> None:
        self.name = name
        self.essential = essential
        self._url = url
        self._topology = topology
        self._connection: AbstractConnection | None = None
        self._connected = asyncio.Event()
        self._incomplete = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._last_error = "not connected yet"

    async def open(self) -> None:
        """Starts connecting; with `essential` it waits for the first connection, else not."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        if self.essential:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await self._connected.wait()
            except TimeoutError:
                raise BrokerUnavailable(self._last_error) from None

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._connection is not None:
            with tolerated():
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._connection.close()

    async def ping(self) -> None:
        """Raises BrokerUnavailable without a connection, and while RabbitMQ reads nothing from it.

        It stops reading from whoever publishes when it is short of memory or disk space.
        """
        if not self._connected.is_set():
            raise BrokerUnavailable(self._last_error)
        try:
            async with asyncio.timeout(0):
                await self.wait_flow()
        except TimeoutError:
            raise BrokerUnavailable("RabbitMQ takes nothing: it lacks memory or disk") from None

    async def wait(self) -> None:
        """Returns when there is a connection."""
        await self._connected.wait()

    async def wait_flow(self) -> None:
        """Returns when there is a connection that RabbitMQ reads from."""
        while True:
            await self._connected.wait()
            connection = self._connection
            if connection is None or connection.transport is None:
                return
            await connection.transport.ready()  # also when the connection is lost
            if connection is self._connection:
                return

    async def channel(self, *, confirms: bool = False) -> AbstractChannel:
        """A new AMQP channel; raises BrokerUnavailable at once while there is no connection."""
        connection = self._connection
        if connection is None or not self._connected.is_set():
            raise BrokerUnavailable(self._last_error)
        with translated("no AMQP channel"):
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await connection.channel(
                    publisher_confirms=confirms, on_return_raises=confirms
                )

    @asynccontextmanager
    async def using_channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel for a while; raises BrokerUnavailable, also when it breaks meanwhile."""
        channel = await self.channel()
        try:
            with translated("the AMQP channel broke"):
                yield channel
        except BrokerUnavailable as error:
            if is_missing(error):
                self.mend()
            raise
        finally:
            await close(channel)

    def mend(self) -> None:
        """Has the topology declared again: somebody found a part of it missing."""
        self._incomplete.set()

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                connection = await self._connect()
            except (Exception, asyncio.CancelledError) as error:
                # A break in the middle of the handshake comes out of aiormq as anything.
                if is_ending():
                    raise
                self._last_error = f"{type(error).__name__}: {error}"
                if failures == 0:
                    log.warning("waiting for rabbitmq", link=self.name, detail=self._last_error)
                await asyncio.sleep(backoff(failures + 1, base=_BACKOFF_BASE, cap=_BACKOFF_CAP))
                failures += 1
                continue
            failures = 0
            lost = _loss_of(connection)
            self._connection = connection
            self._connected.set()
            log.info("connected to rabbitmq", link=self.name)
            mending = asyncio.create_task(self._mend(connection))
            try:
                await lost.wait()
            finally:
                mending.cancel()
                await asyncio.gather(mending, return_exceptions=True)
            self._connected.clear()
            self._connection = None
            self._last_error = "the connection was lost"
            log.warning("lost rabbitmq", link=self.name)

    async def _connect(self) -> AbstractConnection:
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = await aio_pika.connect(
                self._url,
                timeout=_CONNECT_SECONDS,
                heartbeat=_HEARTBEAT_SECONDS,
                client_properties={"connection_name": self.name},
            )
        try:
            await self._declare(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _declare(self, connection: AbstractConnection) -> None:
        async with asyncio.timeout(_DECLARE_SECONDS):
            channel = await connection.channel(publisher_confirms=False)
            await self._topology.declare(channel)
            await channel.close()

    async def _mend(self, connection: AbstractConnection) -> None:
        """Declares what is missing, whenever it is told to, for as long as the connection lasts."""
        self._incomplete.clear()
        while True:
            await self._incomplete.wait()
            # A queue that is back at once is not noticed to have been gone by those who consumed.
            await asyncio.sleep(_NOTICED_SECONDS)
            self._incomplete.clear()
            log.warning("a part of the topology is missing: declared again", link=self.name)
            with tolerated():
                await self._declare(connection)


def _loss_of(connection: AbstractConnection) -> asyncio.Event:
    """An event that is set when the connection closes, from whichever side."""
    lost = asyncio.Event()
    connection.close_callbacks.add(lambda *_: lost.set())
    return lost


async def close(channel: AbstractChannel) -> None:
    """Closes an AMQP channel, without waiting for a RabbitMQ that is gone or frozen."""
    with tolerated():
        async with asyncio.timeout(_CLOSE_SECONDS):
            await channel.close()
