"""Consuming: handlers see a Delivery and answer it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import structlog
from aio_pika.abc import AbstractChannel
from aiormq import Channel
from aiormq.abc import DeliveredMessage

from shared.errors import BrokerUnavailable
from shared.messaging.delivery import Answers, Delivery
from shared.messaging.failures import is_missing, tolerated, translated
from shared.messaging.link import Link, close
from shared.observability.metrics import IN_FLIGHT

log = structlog.get_logger()

_RETRY_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
"""How long RabbitMQ has to answer: it may be gone, or frozen."""


Handler = Callable[[Delivery], Awaitable[None]]


class Consumer:
    """Hands the messages of one queue to a handler, at most `prefetch` at a time.

    When RabbitMQ ends the consuming, because the queue was deleted or lost its leader, it begins
    anew as after a lost connection.

    A handler calls `Delivery.begin` when its message must be finished. Whenever consuming ends
    (a pause, the end of the process, a lost connection) what has not begun is returned at once,
    and what has begun goes on to its end.

    A handler that raises has a bug: the trace is logged and the message released after a pause.
    """

    essential = False

    def __init__(self, link: Link, queue: str, handler: Handler, *, prefetch: int) -> None:
        self.name = f"{queue}-consumer"
        self._link = link
        self._queue = queue
        self._handler = handler
        self._prefetch = prefetch
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._unwanted = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._channel: AbstractChannel | None = None
        self._answers: Answers | None = None
        self._handling: dict[asyncio.Task[None], Delivery] = {}
        self._consuming = False
        self._in_flight = IN_FLIGHT.labels(queue)

    async def open(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def drain(self) -> None:
        """Takes no more from this moment on, and returns when what has begun is finished."""
        await self._stop()
        if self._handling:
            await asyncio.wait(self._handling)

    async def close(self) -> None:
        """Returns what is still in hand. Drain it before: here, what has begun breaks off."""
        await self._stop()
        await self._return(list(self._handling))
        if self._channel is not None:
            await self._close(self._channel)

    async def ping(self) -> None:
        if self._wanted.is_set() and not self._consuming:
            raise BrokerUnavailable(f"not consuming {self._queue}")

    def pause(self) -> None:
        """Takes no more messages until `resume`."""
        self._wanted.clear()
        self._unwanted.set()

    def resume(self) -> None:
        self._unwanted.clear()
        self._wanted.set()

    async def _stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            await self._link.wait()
            try:
                self._channel = await self._link.channel()
                await self._use(self._channel)
            except BrokerUnavailable as error:
                log.warning("consumer interrupted", queue=self._queue, detail=str(error))
                if is_missing(error):
                    self._link.mend()
            if self._channel is not None:
                await self._close(self._channel)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _close(self, channel: AbstractChannel) -> None:
        if self._answers is not None:
            self._answers.write()
        await close(channel)

    async def _use(self, channel: AbstractChannel) -> None:
        """Consumes while it is wanted, until the AMQP channel closes."""
        with translated("cannot consume"):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await channel.set_qos(prefetch_count=self._prefetch)
                bare = await channel.get_underlay_channel()
        assert isinstance(bare, Channel)  # noqa: S101 - for the type checker
        self._answers = Answers(bare)
        closed = asyncio.ensure_future(_until_over(channel, bare))
        try:
            while not closed.done():
                await _first(closed, self._wanted)
                if not closed.done():
                    await self._consume(bare, self._answers, closed)
        finally:
            closed.cancel()

    async def _consume(
        self, channel: Channel, answers: Answers, closed: asyncio.Future[None]
    ) -> None:
        # The library would make a message and a task of its own of each delivery.
        receive = partial(self._receive, answers)
        self._consuming = True
        tag = None
        try:
            with translated("cannot consume"):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    tag = (await channel.basic_consume(self._queue, receive)).consumer_tag
            await _first(closed, self._unwanted)
        finally:
            self._consuming = False
            try:
                if tag is not None and not closed.done():
                    await _cancel(channel, tag)
            finally:
                await self._return(self._not_begun())

    async def _receive(self, answers: Answers, message: DeliveredMessage) -> None:
        delivery = Delivery(message, self._queue, answers)
        if not self._consuming:
            delivery.release()
            return
        task = asyncio.create_task(self._handle(delivery))
        self._handling[task] = delivery
        self._in_flight.set(len(self._handling))
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        del self._handling[task]
        self._in_flight.set(len(self._handling))

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self._handler(delivery)
        except BrokerUnavailable as error:
            log.warning("delivery returned", queue=self._queue, detail=str(error))
            await asyncio.sleep(_RETRY_SECONDS)
        except Exception:
            log.exception("handler failed", queue=self._queue)
            await asyncio.sleep(_RETRY_SECONDS)
        finally:
            delivery.release()

    def _not_begun(self) -> list[asyncio.Task[None]]:
        return [task for task, delivery in self._handling.items() if not delivery.has_begun]

    async def _return(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Ends handlers wherever they stand; their messages go back."""
        returned = {task: self._handling[task] for task in tasks}
        for task in returned:
            task.cancel()
        await asyncio.gather(*returned, return_exceptions=True)
        for delivery in returned.values():
            # A task that was cancelled before its first step has done nothing at all.
            delivery.release()


async def _first(future: asyncio.Future[Any], event: asyncio.Event) -> None:
    """Returns when one of the two has happened."""
    waiting = asyncio.ensure_future(event.wait())
    either: list[asyncio.Future[Any]] = [future, waiting]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _until_over(channel: AbstractChannel, bare: Channel) -> None:
    """Returns when the channel is closed, or RabbitMQ has cancelled a consumer on it."""
    cancelled = asyncio.Event()
    bare.on_consumer_cancel_callbacks.add(lambda _: cancelled.set())
    with tolerated():
        over = asyncio.ensure_future(channel.closed())
        try:
            await _first(over, cancelled)
        finally:
            over.cancel()


async def _cancel(channel: Channel, tag: str) -> None:
    with tolerated():
        async with asyncio.timeout(_ANSWER_SECONDS):
            await channel.basic_cancel(tag)
