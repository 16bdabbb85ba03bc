"""What a service opens, closes and asks for its health."""

from typing import Protocol


class Resource(Protocol):
    """An engine, a neighbour or a worker that a service opens and closes.

    Without an `essential` one the service is not ready: its `open` is tried until it succeeds.
    Any other returns from `open` at once and heals by itself. `ping` raises when it is unwell.
    """

    @property
    def name(self) -> str: ...
    @property
    def essential(self) -> bool: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def ping(self) -> None: ...
