"""The load: open, so that nothing waits for slow answers; a lost answer is asked for again.

The latency of an accept runs from the moment it was due, whether or not the one before has been
answered, to the answer that ended it, all tries and waits between them included.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from carillon_stack.chaos.connections import Answer, Connections, NoAnswer
from carillon_stack.chaos.orders import Order, Orders

TRY_SECONDS = 2.0
"""How long one try waits for the gateway to say something, as a sensible client would."""
PATIENCE_SECONDS = 60.0
"""How long after the end of the load answers are still asked for."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 1.0
_MOST_SECONDS_OBEYED = 5.0

Clock = Callable[[], float]


@dataclass(slots=True)
class Sent:
    """What a client knows of one order. Moments are seconds since the load began."""

    order: Order
    due: float
    tries: int = 0
    answered: float | None = None
    status: int | None = None
    request_id: str | None = None
    complaint: str = ""
    troubles: dict[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        return self.request_id is not None

    @property
    def latency(self) -> float:
        """Seconds from due to answered; only of what was answered."""
        return (self.answered or self.due) - self.due


class Load:
    """Sends `rate` orders a second for `seconds`, then waits for the last answers."""

    def __init__(
        self, url: str, api_key: str, orders: Orders, *, rate: float, seconds: float, clock: Clock
    ) -> None:
        self._url, self._api_key = url, api_key
        self._orders = orders
        self._rate, self._seconds = rate, seconds
        self._now = clock
        self.sent: list[Sent] = []

    async def run(self) -> None:
        """Return when everything is answered, or the patience is over."""
        authorization = {"Authorization": f"Bearer {self._api_key}"}
        async with Connections(self._url, authorization, seconds=TRY_SECONDS) as gateway:
            asking: set[asyncio.Task[None]] = set()
            for serial in range(int(self._rate * self._seconds)):
                due = serial / self._rate
                if (early := due - self._now()) > 0:
                    await asyncio.sleep(early)
                sent = Sent(self._orders[serial], due)
                self.sent.append(sent)
                task = asyncio.create_task(self._ask(gateway, sent))
                asking.add(task)
                task.add_done_callback(asking.discard)
            if asking:
                await asyncio.wait(asking, timeout=PATIENCE_SECONDS)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, gateway: Connections, sent: Sent) -> None:
        """Ask until there is a definite answer, always under the same idempotency key."""
        headers = {"Idempotency-Key": sent.order.key}
        while True:
            sent.tries += 1
            try:
                answer = await gateway.post("/notifications/send", sent.order.body, headers)
            except NoAnswer as failure:
                _count(sent, str(failure))
                await asyncio.sleep(_pause(sent.tries))
                continue
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                self._answer(sent, answer)
                return
            _count(sent, "503")
            await asyncio.sleep(_asked_to_wait(answer) or _pause(sent.tries))

    def _answer(self, sent: Sent, answer: Answer) -> None:
        sent.answered = self._now()
        sent.status = answer.status
        if answer.status == HTTPStatus.ACCEPTED:
            sent.request_id = str(answer.data["request_id"])
        else:
            sent.complaint = answer.body.decode(errors="replace")[:500]


def _count(sent: Sent, trouble: str) -> None:
    sent.troubles[trouble] = sent.troubles.get(trouble, 0) + 1


def _pause(tries: int) -> float:
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(tries, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter


def _asked_to_wait(answer: Answer) -> float:
    told = answer.headers.get("retry-after", "")
    return min(_MOST_SECONDS_OBEYED, float(told)) if told.isdecimal() else 0.0
