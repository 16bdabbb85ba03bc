"""A whole worker with a channel and a provider of the test's own, on real engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from shared.delivery import Address, DeliverySettings, Receipt, delivery_resources
from shared.schemas.profile import Profile
from shared.schemas.vocabulary import Channel, OnUnknown
from shared.schemas.wire import NotificationMessage
from shared.service.resources import HealthReport, Resources


class WorkerSettings(DeliverySettings):
    """What every channel worker reads, and no more."""

    service_name: ClassVar[str] = "worker"
    default_port: ClassVar[int] = 0


@dataclass
class Letters:
    """A channel: to the user's address, or to every device where there are some."""

    name: Channel = Channel.EMAIL
    on_unknown: OnUnknown = "resend"
    before_sending: Callable[[], None] = lambda: None

    def addresses(self, profile: Profile) -> Sequence[Address]:
        if profile.devices:
            return [Address(device.value, device.id, device) for device in profile.devices]
        return [Address(profile.email)] if profile.email else []

    def compose(
        self, fields: Mapping[str, str], _message: NotificationMessage, address: Address
    ) -> tuple[str, str]:
        self.before_sending()
        return address.value, fields["body_text"]


@dataclass
class Post:
    """A provider: fails as told, once for each entry, for an address or for everybody (`*`)."""

    failures: dict[str, list[Exception]] = field(default_factory=dict)
    away: Exception | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    began: int = 0
    name: str = "post"

    def __post_init__(self) -> None:
        self.may_go_on.set()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def probe(self) -> None:
        if self.away is not None:
            raise self.away

    async def send(self, content: tuple[str, str], *, key: str) -> Receipt:
        self.began += 1
        self.keys.append(key)
        await self.may_go_on.wait()
        if self.away is not None:
            raise self.away
        for failures in (self.failures.get(content[0]), self.failures.get("*")):
            if failures:
                raise failures.pop(0)
        self.sent.append(content)
        return Receipt(self.name, f"receipt-{len(self.sent)}")


@dataclass
class Worker:
    """A worker that runs."""

    channel: Letters
    post: Post
    settings: WorkerSettings
    rate: float | None = None
    is_closing: bool = False
    health: Callable[[], Awaitable[HealthReport]] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        rates = {self.post.name: self.rate}
        resources = Resources(
            "worker",
            delivery_resources(self.settings, self.channel, [self.post], rates),
            grace_seconds=self.settings.grace_seconds,
        )
        await resources.open()
        self.health = resources.health
        try:
            yield self
        finally:
            self.is_closing = True
            await resources.close()
