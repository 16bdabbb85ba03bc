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
