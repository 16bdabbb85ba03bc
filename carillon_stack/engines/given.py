"""An engine that somebody else runs: only its address is ours."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from carillon_stack.programs import Program


@dataclass(frozen=True)
class Given:
    """A server named in the environment, used as it is and never started or stopped."""

    name: str
    url: str
    pinging: Callable[[str], Awaitable[None]]

    def prepare(self) -> None:
        """Do nothing: it is prepared by who runs it."""

    def programs(self) -> Sequence[Program]:
        return []

    async def ping(self) -> None:
        await self.pinging(self.url)
