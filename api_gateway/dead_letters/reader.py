"""What operators see of dead letters: pages, groups, one with its message."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from api_gateway.dead_letters import statements
from shared.database import Database
from shared.masking import masked
from shared.messaging.addressed import NewerVersion, Unreadable, read_notification
from shared.schemas.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterFilter,
    DeadLetterGroup,
    DeadLetterPreview,
    GroupBy,
    LetterState,
)
from shared.schemas.vocabulary import Reason

_MOST_BYTES = 2**20
_EVERY_REASON = len(Reason)


class DeadLetterReader:
    """Queries on dead letters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, letter_id: int) -> DeadLetterDetail | None:
        async with self._database.driver() as connection:
            row = await connection.fetchrow(statements.ONE, letter_id, _MOST_BYTES)
        if row is None:
            return None
        message = _message(row["beginning"])
        return DeadLetterDetail(
            **_shown(row).model_dump(),
            message=message,
            body_base64=None if message else base64.b64encode(row["beginning"]).decode(),
            body_bytes=row["size"],
        )

    async def list(
        self, wanted: DeadLetterFilter, state: LetterState, *, before: int | None, limit: int
    ) -> list[DeadLetter]:
        """Newest first."""
        said, values = statements.page(wanted, state, before=before, limit=limit)
        async with self._database.driver() as connection:
            return [_shown(row) for row in await connection.fetch(said, *values)]

    async def groups(
        self, wanted: DeadLetterFilter, state: LetterState, group_by: GroupBy, *, limit: int
    ) -> tuple[Sequence[DeadLetterGroup], int, int]:
        """The `limit` largest groups; how many letters there are, and how many groups."""
        said, values = statements.groups(wanted, state, group_by, limit=limit)
        async with self._database.driver() as connection:
            rows = await connection.fetch(said, *values)
        if not rows:
            return [], 0, 0
        return [_group(group_by, row) for row in rows], rows[0]["letters"], rows[0]["groups"]

    async def preview(self, wanted: DeadLetterFilter) -> DeadLetterPreview:
        """What a job would look at."""
        by_reason, total, _ = await self.groups(
            wanted, LetterState.OPEN, GroupBy.REASON, limit=_EVERY_REASON
        )
        return DeadLetterPreview(total=total, by_reason=list(by_reason))


def _shown(row: Any) -> DeadLetter:
    names = set(DeadLetter.model_fields) - {"request_id", "meaning"}
    return DeadLetter(
        request_id=row["notification_id"],
        meaning=Reason(row["reason"]).meaning,
        **{name: row[name] for name in names},
    )


def _group(group_by: GroupBy, row: Any) -> DeadLetterGroup:
    value = row["value"]
    meaning = Reason(value).meaning if group_by is GroupBy.REASON else None
    return DeadLetterGroup(group=group_by, value=value, count=row["count"], meaning=meaning)


def _message(body: bytes) -> dict[str, Any] | None:
    """The message as it is kept, if it is one that can be read."""
    try:
        message = read_notification(body)
    except (Unreadable, NewerVersion):
        return None
    found: dict[str, Any] = json.loads(body)
    return {**found, "variables": masked(message.variables, message.sensitive)}
