"""The contract of an emulator: what a new provider brings along.

A provider that speaks HTTP only needs `routes`; one with a port of its own opens and closes it.
Add one by writing its class and naming it in `app.emulators`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from carillon_stack.sandbox.messages import Channel


class Emulator(Protocol):
    """One provider's stand-in, speaking its protocol to the letter."""

    @property
    def channel(self) -> Channel: ...

    def routes(self) -> Sequence[BaseRoute]:
        """Where the provider answers over HTTP; the paths are the provider's own."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...
