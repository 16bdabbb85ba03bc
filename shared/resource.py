"""What a service opens, closes and asks for its health."""

from typing import Protocol, runtime_checkable


class Resource(Protocol):
    """An engine, a neighbour or a worker that a service opens and closes.

    Without an `essential` one the service is not ready: its `open` is tried until it succeeds.
    Any other returns from `open` at once and heals by itself.
    """

    @property
    def name(self) -> str: ...
    @property
    def essential(self) -> bool: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class Dependency(Resource, Protocol):
    """A resource that can be unwell by itself: `ping` raises then."""

    async def ping(self) -> None: ...


@runtime_checkable
class Taking(Resource, Protocol):
    """A resource that takes work by itself, such as a consumer.

    `drain` takes no more from its first step on, and returns when what has begun is finished. It
    is cancelled when the time for that is up; `close` follows in any case.
    """

    async def drain(self) -> None: ...
