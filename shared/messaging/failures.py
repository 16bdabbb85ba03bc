"""A broken connection to RabbitMQ comes out of the library as many things; here it is one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aio_pika
import aiormq

from shared.background import is_ending
from shared.errors import BrokerUnavailable

_MISSING = (aio_pika.exceptions.ChannelNotFoundEntity, aiormq.exceptions.PublishError)
"""RabbitMQ knows no such exchange or queue, or no queue takes what was published."""

_BROKEN = (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns "RabbitMQ is not there" into BrokerUnavailable, which then begins with `what`."""
    try:
        yield
    except _BROKEN as error:
        raise BrokerUnavailable(f"{what}: {error!r}") from error
    except asyncio.CancelledError as error:
        # aiormq cancels its own futures when a connection breaks.
        if is_ending():
            raise
        raise BrokerUnavailable(f"{what}: the connection broke") from error


@contextmanager
def tolerated() -> Iterator[None]:
    """Passes over it: what is left undone is done by RabbitMQ when it finds the connection dead."""
    try:
        with translated("given up"):
            yield
    except BrokerUnavailable:
        return


def is_missing(error: BaseException | None) -> bool:
    """Whether the error, or what it comes from, says that a part of the topology is not there."""
    while error is not None:
        if isinstance(error, _MISSING):
            return True
        error = error.__cause__
    return False
