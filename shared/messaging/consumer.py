"""Consuming: the only place that touches deliveries; handlers see a Delivery and settle it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.errors import BrokerUnavailable
from shared.messaging.link import Link
from shared.observability.metrics import IN_FLIGHT

log = structlog.get_logger()

_FAILURES = (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError)
_RETRY_SECONDS = 1.0


class Delivery:
    """One message in our hands until it is acked or released."""

    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message
        self.body = message.body
        self.headers: dict[str, Any] = dict(message.headers or {})
        self.message_id = message.message_id
        self.routing_key = message.routing_key or ""
        self.redelivered = bool(message.redelivered)
        self.settled = False

    async def ack(self) -> None:
        """It is done. If the connection is gone, RabbitMQ delivers it again."""
        self.settled = True
        with contextlib.suppress(*_FAILURES):
            await self._message.ack()

    async def release(self) -> None:
        """Back to the queue, for this worker or another."""
        self.settled = True
        with contextlib.suppress(*_FAILURES):
            await self._message.nack(requeue=True)


Handler = Callable[[Delivery], Awaitable[None]]


class Consumer:
    """Hands the messages of one queue to a handler, at most `prefetch` at a time.

    A handler that raises has a bug: the trace is logged and the message released after a pause.
    `pause` cancels the consumer, so that what nobody can work on waits in the queue.
    """

    essential = False

    def __init__(
        self, link: Link, queue: str, handler: Handler, *, prefetch: int, grace_seconds: float = 20
    ) -> None:
        self.name = f"{queue}-consumer"
        self._link = link
        self._queue = queue
        self._handler = handler
        self._prefetch = prefetch
        self._grace_seconds = grace_seconds
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._stop_consuming = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._handling: set[asyncio.Task[None]] = set()
        self._consuming = False
        self._in_flight = IN_FLIGHT.labels(queue)

    async def open(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Stops consuming, lets what is in flight finish within the grace time."""
        self._stop_consuming.set()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    async def ping(self) -> None:
        if self._wanted.is_set() and not self._consuming:
            raise BrokerUnavailable(f"not consuming {self._queue}")

    def pause(self) -> None:
        """Stops taking messages; what is in flight goes on."""
        self._wanted.clear()
        self._stop_consuming.set()

    def resume(self) -> None:
        self._wanted.set()

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            await self._link.wait()
            self._stop_consuming.clear()
            if not self._wanted.is_set():
                continue
            try:
                channel = await self._link.channel()
            except BrokerUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                await self._consume(channel)
            except _FAILURES as error:
                log.warning("consumer interrupted", queue=self._queue, detail=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                self._consuming = False
                await self._leave(channel)

    async def _consume(self, channel: AbstractChannel) -> None:
        await channel.set_qos(prefetch_count=self._prefetch)
        queue = await channel.get_queue(self._queue, ensure=False)
        tag = await queue.consume(self._receive)
        self._consuming = True
        closed = asyncio.ensure_future(_until_closed(channel))
        stopped = asyncio.ensure_future(self._stop_consuming.wait())
        try:
            await asyncio.wait([closed, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            stopped.cancel()
            if not channel.is_closed:
                with contextlib.suppress(*_FAILURES):
                    await queue.cancel(tag)

    async def _leave(self, channel: AbstractChannel) -> None:
        """Waits for handlers before the channel closes: delivery tags die with it."""
        handling = list(self._handling)
        if handling:
            _, unfinished = await asyncio.wait(handling, timeout=self._grace_seconds)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        with contextlib.suppress(*_FAILURES):
            await channel.close()

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._handle(Delivery(message)))
        self._handling.add(task)
        self._in_flight.set(len(self._handling))
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._handling.discard(task)
        self._in_flight.set(len(self._handling))

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self._handler(delivery)
        except Exception:
            log.exception("handler failed", queue=self._queue)
            await asyncio.sleep(_RETRY_SECONDS)
        finally:
            if not delivery.settled:
                await delivery.release()


async def _until_closed(channel: AbstractChannel) -> None:
    with contextlib.suppress(*_FAILURES):
        await channel.closed()
