"""What a provider is to the pipeline: it sends one content, or says what is in the way."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

Content_contra = TypeVar("Content_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's acceptance: it has the message now. `message_id` is its own name for it."""

    provider: str
    message_id: str | None = None


class Provider(Protocol[Content_contra]):
    """One account at one provider.

    `send` returns a Receipt or raises a `shared.errors.ProviderError`; anything else that it
    raises is a bug. `key` is the same for every copy and retry of one delivery: the provider puts
    it where the far end can recognise a repeat (Message-ID, collapse key).
    `probe` raises ProviderError while the provider cannot be used; it sends nothing.
    """

    name: str

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def probe(self) -> None: ...
    async def send(self, content: Content_contra, *, key: str) -> Receipt: ...
