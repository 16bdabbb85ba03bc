"""The provider of a service that was not told which one to use."""

import structlog

from shared.delivery.provider import Receipt
from shared.errors import ProviderMisconfigured

log = structlog.get_logger()


class UnconfiguredProvider:
    """Sends nothing and says what to set: its lanes wait, and nothing is lost meanwhile."""

    def __init__(self, name: str, missing: list[str]) -> None:
        self.name = name
        self._advice = f"{name} is not configured: set {', '.join(missing)}"

    async def open(self) -> None:
        log.error(self._advice)

    async def close(self) -> None: ...

    async def probe(self) -> None:
        raise ProviderMisconfigured(self._advice)

    async def send(self, _content: object, *, key: str) -> Receipt:  # noqa: ARG002 - as callers name it
        raise ProviderMisconfigured(self._advice)
