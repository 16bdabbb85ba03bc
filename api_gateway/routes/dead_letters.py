"""`/dead-letters`: what failed; look at it, send it again, discard it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, TypeAdapter

from api_gateway.dead_letters.letters import DeadLetters
from api_gateway.dead_letters.reader import DeadLetterReader
from shared.errors import FieldProblem, NotFound, Unprocessable
from shared.schemas.access import Caller, Scope
from shared.schemas.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterFilter,
    DeadLetterGroup,
    GroupBy,
    LetterState,
    Redriven,
    RedriveRequest,
)
from shared.schemas.envelope import Envelope, Meta
from shared.schemas.text import BigId
from shared.service import require
from shared.service.paging import key_in, page

_KEY: TypeAdapter[int] = TypeAdapter(BigId)


class DeadLetterQuery(DeadLetterFilter):
    """Which dead letters to list, or what to count them by."""

    model_config = ConfigDict(extra="ignore")

    state: LetterState = LetterState.OPEN
    group_by: GroupBy | None = Field(
        default=None, description="Answer counts, the largest first, in place of the letters."
    )
    cursor: str | None = Field(
        default=None, max_length=200, description="`meta.next_cursor` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=100, description="How many at most.")


def dead_letter_routes(reader: DeadLetterReader, letters: DeadLetters) -> APIRouter:
    """The routes, on what they need."""
    router = APIRouter(tags=["dead letters"])

    @router.get("/dead-letters", summary="List dead letters, newest first, or count them by group")
    async def list_dead_letters(
        wanted: Annotated[DeadLetterQuery, Query()],
        _caller: Annotated[Caller, require(Scope.READ)],
    ) -> Envelope[list[DeadLetter] | list[DeadLetterGroup]]:
        if wanted.group_by is not None:
            return await grouped(wanted, wanted.group_by)
        before = key_in(wanted.cursor, _KEY)
        found = await reader.list(wanted, wanted.state, before=before, limit=wanted.limit + 1)
        listed = page(found, wanted.limit, key=lambda letter: letter.id)
        return Envelope(data=listed.data, meta=listed.meta)

    async def grouped(
        wanted: DeadLetterQuery, group_by: GroupBy
    ) -> Envelope[list[DeadLetter] | list[DeadLetterGroup]]:
        if wanted.cursor is not None:
            problem = FieldProblem("cursor", "groups have no pages: leave it out")
            raise Unprocessable("The request has wrong fields: cursor", [problem])
        found, total, groups = await reader.groups(
            wanted, wanted.state, group_by, limit=wanted.limit
        )
        return Envelope(
            data=found,
            meta=Meta.model_validate({"limit": wanted.limit, "total": total, "groups": groups}),
        )

    @router.get("/dead-letters/{letter_id}", summary="A dead letter with its message")
    async def get_dead_letter(
        letter_id: BigId, _caller: Annotated[Caller, require(Scope.READ)]
    ) -> Envelope[DeadLetterDetail]:
        found = await reader.get(letter_id)
        if found is None:
            raise NotFound(f"There is no dead letter {letter_id}.")
        return Envelope(data=found, message=found.meaning)

    @router.post(
        "/dead-letters/{letter_id}/redrive",
        status_code=202,
        summary="Send a dead letter again",
        response_description="Committed as a new generation, with the newest template version.",
    )
    async def redrive_dead_letter(
        letter_id: BigId,
        _caller: Annotated[Caller, require(Scope.ADMIN)],
        body: RedriveRequest | None = None,
    ) -> Envelope[Redriven]:
        redriven = await letters.redrive(letter_id, body or RedriveRequest())
        return Envelope(data=redriven, message="Queued again.")

    @router.post("/dead-letters/{letter_id}/discard", summary="Discard a dead letter")
    async def discard_dead_letter(
        letter_id: BigId, _caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> Envelope[None]:
        await letters.discard(letter_id)
        return Envelope(data=None, message="Discarded: its notification stays failed.")

    return router
