"""One accepted notification of a made-up run: what stands and what came are set by the test."""

from datetime import UTC, datetime
from uuid import uuid4

from carillon_stack.chaos.comparison import Account, Comparison
from carillon_stack.chaos.inbox import Copy
from carillon_stack.chaos.injector import Occurrence
from carillon_stack.chaos.load import Sent
from carillon_stack.chaos.orders import Orders, Person
from carillon_stack.chaos.schedule import Fault, Kind
from shared.schemas.notifications import NotificationDetail
from shared.schemas.vocabulary import Reason, Status

STARTED = 1_800_000_000.0
PERSON = Person(
    1, {"email": ("ada@example.com",), "push": ("phone", "tablet"), "sms": ("+14155550001",)}
)
ORDERS = Orders(1, [PERSON])


class World:
    """Moments are seconds since the load began; the notification was due at 10 s."""

    def __init__(self, channel: str = "email") -> None:
        order = next(ORDERS[n] for n in range(200) if ORDERS[n].channel == channel)
        self.sent = Sent(order, 10.0, 1, 10.01, 202, str(uuid4()))
        self.copies: list[Copy] = []
        self.occurrences: list[Occurrence] = []
        self.notification: NotificationDetail | None = None
        self.letter: Reason | None = None
        self.stands("sent", timeline=["sent"])

    def stands(
        self,
        status: str,
        reason: str | None = None,
        attempts: int = 1,
        timeline: list[str] | None = None,
    ) -> None:
        """What the API says of it; a timeline is a list of statuses."""
        self.letter = Reason(reason) if status == "failed" else None
        at = datetime.fromtimestamp(STARTED + 10, UTC)
        same = dict.fromkeys(
            (
                "template_version",
                "batch_id",
                "category",
                "provider",
                "provider_message_id",
                "sent_at",
            )
        )
        self.notification = NotificationDetail.model_validate(
            {
                **same,
                "request_id": self.sent.request_id,
                "user_id": 1,
                "channel": self.sent.order.channel,
                "template_id": "t",
                "priority": "normal",
                "status": status,
                "reason": reason,
                "attempts": attempts,
                "correlation_id": "c",
                "metadata": {},
                "created_at": at,
                "updated_at": at,
                "delivered_at": None,
                "expires_at": at,
                "variables": {},
                "timeline": [{"at": at, "status": entry} for entry in timeline or []],
            }
        )
        assert self.notification.status == Status(status)

    def received(self, *moments: float, at: str = "", mark: str | None = "<1@x>") -> None:
        """A copy at each of these moments, at the first address if none is given."""
        order = self.sent.order
        to = at or order.addresses[0]
        self.copies += [
            Copy(order.serial, to, order.channel, mark, STARTED + moment) for moment in moments
        ]

    def broken(self, kind: Kind, target: str, began: float, back: float, trouble: str = "") -> None:
        """A fault that happened."""
        fault = Fault(began, back - began, kind, target, trouble)
        self.occurrences.append(Occurrence(fault, began, back, back))

    def account(self) -> Account:
        """What the comparison makes of it."""
        inbox: dict[tuple[int, str], list[Copy]] = {}
        for copy in self.copies:
            inbox.setdefault((copy.serial, copy.address), []).append(copy)
        stands = self.notification
        comparison = Comparison(
            inbox,
            {str(stands.request_id): stands} if stands else {},
            {str(self.sent.request_id): self.letter} if self.letter else {},
            self.occurrences,
            started=STARTED,
            look=lambda _: stands,  # type: ignore[arg-type,return-value]
        )
        return comparison.account([self.sent])
