"""One attempt: a call at a provider, and what it came to."""

from datetime import UTC, datetime
from typing import Generic, TypeVar

import structlog

from shared.delivery.channel import Address
from shared.delivery.judgement import Judge
from shared.delivery.outcome import Dead, Outcome, Sent
from shared.delivery.people import People
from shared.delivery.pool import ProviderPool, Turn
from shared.delivery.provider import Receipt
from shared.errors import NeighbourUnavailable, ProviderError, TokenInvalid
from shared.rendering import RenderingError
from shared.schemas.vocabulary import Reason
from shared.schemas.wire import NotificationMessage

log = structlog.get_logger()

Content = TypeVar("Content")

_DIED = "a worker died while it sent this"
UNKNOWN = Dead(reason=Reason.OUTCOME_UNKNOWN, detail=_DIED)


class Attempts(Generic[Content]):
    """Calls the providers of a pool; every failure is judged, none is raised."""

    def __init__(self, pool: ProviderPool[Content], people: People, judge: Judge) -> None:
        self._pool = pool
        self._people = people
        self._judge = judge

    async def make(
        self,
        message: NotificationMessage,
        content: Content,
        address: Address,
        turn: Turn[Content] | None,
        takes: int,
    ) -> Outcome:
        """Hands the content to a provider. Each worker that died over it was an attempt too."""
        tried = message.model_copy(update={"attempt": message.attempt + takes - 1})
        if not self._judge.allows(tried.attempt):
            return UNKNOWN.model_copy(update={"takes": takes})
        try:
            receipt = await self._transmit(message, content, address.device, turn)
        except Exception as error:  # noqa: BLE001 - judged, and logged when it is a bug
            # Without an id it is no device of the user's: it stood in place of them.
            if isinstance(error, TokenInvalid) and address.target and address.target.id:
                await self._people.report_dead(
                    message.user_id, address.target.id, address.target.value
                )
            outcome = self.judged(error, tried)
            return outcome if takes == 1 else doubtful(outcome, takes)
        return _sent(receipt, takes)

    async def _transmit(
        self,
        message: NotificationMessage,
        content: Content,
        device: str,
        turn: Turn[Content] | None,
    ) -> Receipt:
        if turn is None:
            return Receipt("simulated")
        key = f"{message.id}.{message.generation}"
        return await self._pool.send(content, key=f"{key}.{device}" if device else key, turn=turn)

    def judged(self, error: Exception, message: NotificationMessage) -> Outcome:
        """What a failure means; logged when it is a bug."""
        if not isinstance(error, ProviderError | NeighbourUnavailable | RenderingError):
            log.error("unexpected error in a delivery", id=str(message.id), exc_info=error)
        provider = getattr(error, "provider", None)
        return self._judge.outcome(error, message, datetime.now(UTC), provider)


def doubtful(outcome: Outcome, takes: int) -> Outcome:
    """The outcome, and that an earlier send may have arrived."""
    said = f"{outcome.detail}; {_DIED}" if outcome.detail else _DIED
    return outcome.model_copy(update={"takes": takes, "detail": said})


def _sent(receipt: Receipt, takes: int) -> Sent:
    detail = "sent again: the outcome of an earlier send is unknown" if takes > 1 else None
    return Sent(
        provider=receipt.provider, message_id=receipt.message_id, takes=takes, detail=detail
    )
