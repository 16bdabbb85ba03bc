"""What an operator does with one dead letter."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from api_gateway.accept.catalogue import Catalogue, objection
from api_gateway.dead_letters import statements
from api_gateway.dead_letters.redrive import RESOLVED, Edit, redrive
from shared.database import Database, is_refused
from shared.errors import Conflict, FieldProblem, NotFound, Unprocessable
from shared.masking import Secrets, erased_names
from shared.messaging.addressed import NewerVersion, Unreadable, read_notification
from shared.observability import discretion
from shared.observability.metrics import NOTIFICATIONS
from shared.outbox import Relay
from shared.schemas.dead_letters import Hindrance, LetterState, Redriven, RedriveRequest
from shared.schemas.vocabulary import Status
from shared.schemas.wire import NotificationMessage


class DeadLetters:
    """Redrives and discards."""

    def __init__(self, database: Database, catalogue: Catalogue, relay: Relay) -> None:
        self._database = database
        self._catalogue = catalogue
        self._relay = relay

    async def redrive(self, letter_id: int, request: RedriveRequest) -> Redriven:
        """Sends it again; raises NotFound, Conflict and Unprocessable."""
        discretion.keep(Secrets(request.variables or {}, None))
        edit = Edit(
            variables=request.variables,
            recipient=request.recipient.recipient() if request.recipient else None,
        )
        edit = await self._checked(letter_id, edit)
        try:
            async with self._database.driver() as connection, connection.transaction():
                [answer] = await redrive(connection, [letter_id], edit)
        except Exception as error:
            if is_refused(error):
                raise Unprocessable(Hindrance.NOT_STORABLE.meaning) from error
            raise
        if isinstance(answer, Hindrance):
            raise _hindered(letter_id, answer)
        NOTIFICATIONS.labels(answer.channel, Status.QUEUED, "").inc()
        self._relay.nudge()
        return Redriven(
            dead_letter_id=letter_id,
            request_id=answer.id,
            generation=answer.generation,
            expires_at=answer.expires_at,
        )

    async def discard(self, letter_id: int) -> None:
        """Nothing more is to come of it; raises NotFound and Conflict."""
        async with self._database.driver() as connection:
            done: str = await connection.execute(statements.DISCARD, letter_id)
        if done == "UPDATE 0":
            raise _hindered(letter_id, RESOLVED[(await self._row(letter_id))["state"]])

    async def _checked(self, letter_id: int, edit: Edit) -> Edit:
        """What can be said before anything is locked: template facts take their time."""
        row = await self._row(letter_id)
        if row["state"] != LetterState.OPEN:
            raise _hindered(letter_id, RESOLVED[row["state"]])
        try:
            message = read_notification(row["body"])
        except (Unreadable, NewerVersion):
            raise _hindered(letter_id, Hindrance.UNREADABLE) from None
        if edit.recipient is not None and edit.recipient.channel != message.channel:
            raise _other_channel(message)
        if edit.variables is not None:
            edit = await self._fitting(edit, message)
        edited = edit.of(message)
        if missing := erased_names(edited.variables, edited.sensitive):
            raise _secrets_needed(missing)
        return edit

    async def _fitting(self, edit: Edit, message: NotificationMessage) -> Edit:
        """The edit with what the template says of it; unseen, while nobody can tell."""
        known = await self._catalogue.look_up([message.template_id])
        if message.template_id not in known:
            return edit
        facts = known[message.template_id]
        if refusal := objection(edit.of(message), facts):
            raise refusal
        return replace(edit, sensitive=facts.sensitive if facts else None)

    async def _row(self, letter_id: int) -> Any:
        async with self._database.driver() as connection:
            row = await connection.fetchrow(statements.STATE_AND_BODY, letter_id)
        if row is None:
            raise NotFound(f"There is no dead letter {letter_id}.")
        return row


def _hindered(letter_id: int, hindrance: Hindrance) -> Conflict:
    return Conflict(f"Dead letter {letter_id}: {hindrance.meaning}", code=hindrance.value)


def _secrets_needed(names: Sequence[str]) -> Unprocessable:
    problem = "is a secret and no longer kept: give it anew"
    problems = [FieldProblem(f"variables.{name}", problem) for name in names]
    return Unprocessable(
        f"Secrets must be given anew: {', '.join(names)}",
        problems,
        code=Hindrance.VARIABLES_NEEDED.value,
    )


def _other_channel(message: NotificationMessage) -> Unprocessable:
    problem = FieldProblem(
        "recipient", f"must be for the notification's channel, {message.channel}"
    )
    return Unprocessable("The request has wrong fields: recipient", [problem])
