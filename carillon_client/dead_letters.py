"""Dead letters: look at them, send them again, discard them; one by one or many by a job."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from carillon_client.fields import DeadLetterFields, RecipientFields
from carillon_client.transport import Params, Transport
from shared.schemas.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterGroup,
    DeadLetterJob,
    DeadLetterPreview,
    GroupBy,
    JobAction,
    JobState,
    LetterState,
    Redriven,
)

_LOOK_EVERY_SECONDS = 0.3
_MOST_GROUPS = 100


class DeadLetters:
    """`/dead-letters…`; every call raises CarillonError.

    Looking needs a key with the scope `read`, everything else one with `admin`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, letter_id: int) -> DeadLetterDetail:
        """With its message."""
        return self._transport.call("GET", f"/dead-letters/{letter_id}", DeadLetterDetail).data

    def list(
        self,
        *,
        state: LetterState | str = LetterState.OPEN,
        limit: int | None = None,
        **wanted: Unpack[DeadLetterFields],
    ) -> Iterator[DeadLetter]:
        """Those that fit everything given, the newest first; all without a limit."""
        params = {**_params(wanted), "state": state}
        return self._transport.pages("/dead-letters", DeadLetter, params=params, limit=limit)

    def groups(
        self,
        group_by: GroupBy | str,
        *,
        state: LetterState | str = LetterState.OPEN,
        limit: int = _MOST_GROUPS,
        **wanted: Unpack[DeadLetterFields],
    ) -> Sequence[DeadLetterGroup]:
        """How many there are of each value, the most frequent first; at most a hundred values."""
        params = {**_params(wanted), "state": state, "group_by": group_by, "limit": limit}
        answer = self._transport.call("GET", "/dead-letters", list[DeadLetterGroup], params=params)
        return answer.data

    def redrive(
        self,
        letter_id: int,
        *,
        variables: Mapping[str, Any] | None = None,
        recipient: RecipientFields | None = None,
    ) -> Redriven:
        """Sends it again, with other variables or to another recipient if given."""
        edit = {"variables": variables, "recipient": recipient}
        given = {name: value for name, value in edit.items() if value is not None}
        path = f"/dead-letters/{letter_id}/redrive"
        return self._transport.call("POST", path, Redriven, body=given).data

    def discard(self, letter_id: int) -> None:
        """Nothing more is to come of it."""
        self._transport.call("POST", f"/dead-letters/{letter_id}/discard", type(None))

    def preview(self, **wanted: Unpack[DeadLetterFields]) -> DeadLetterPreview:
        """What a job on those that fit would look at; nothing is started."""
        body = {"filter": wanted, "dry_run": True}
        return self._transport.call(
            "POST", "/dead-letters/redrive", DeadLetterPreview, body=body
        ).data

    def start(
        self,
        action: JobAction | str,
        *,
        rate_per_second: int = 50,
        **wanted: Unpack[DeadLetterFields],
    ) -> DeadLetterJob:
        """A job that redrives or discards all open ones that fit now; without a filter all."""
        path = f"/dead-letters/{JobAction(action)}"
        body = {"filter": wanted, "rate_per_second": rate_per_second}
        return self._transport.call("POST", path, DeadLetterJob, body=body).data

    def job(self, job_id: int) -> DeadLetterJob:
        return self._transport.call("GET", f"/dead-letters/jobs/{job_id}", DeadLetterJob).data

    def jobs(self, *, limit: int | None = None) -> Iterator[DeadLetterJob]:
        """The newest first; all without a limit."""
        return self._transport.pages("/dead-letters/jobs", DeadLetterJob, limit=limit)

    def follow(self, job_id: int) -> Iterator[DeadLetterJob]:
        """The job again and again, until it is over."""
        while True:
            job = self.job(job_id)
            yield job
            if job.state is not JobState.RUNNING:
                return
            time.sleep(_LOOK_EVERY_SECONDS)

    def cancel(self, job_id: int) -> DeadLetterJob:
        """Stops a job where it is."""
        path = f"/dead-letters/jobs/{job_id}/cancel"
        return self._transport.call("POST", path, DeadLetterJob).data


def _param(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _params(wanted: DeadLetterFields) -> Params:
    return {
        name: _param(value)  # type: ignore[misc]
        for name, value in wanted.items()
    }
