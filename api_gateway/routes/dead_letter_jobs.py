"""`/dead-letters/redrive`, `/discard` and `/jobs`: many dead letters at once.

These routes come before those with a letter's id in their path.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from api_gateway.dead_letters.jobs import DeadLetterJobs
from api_gateway.dead_letters.reader import DeadLetterReader
from api_gateway.dead_letters.runner import JobRunner
from shared.errors import Conflict, NotFound
from shared.schemas.access import Caller, Scope
from shared.schemas.dead_letters import (
    DeadLetterJob,
    DeadLetterPreview,
    JobAction,
    JobRequest,
)
from shared.schemas.envelope import Envelope
from shared.schemas.text import BigId
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page

_KEY: TypeAdapter[int] = TypeAdapter(BigId)

_DRY_RUN: dict[int | str, dict[str, Any]] = {
    200: {"model": Envelope[DeadLetterPreview], "description": "A dry run: nothing was started."}
}


def bulk_routes(reader: DeadLetterReader, jobs: DeadLetterJobs, runner: JobRunner) -> APIRouter:
    """Where jobs are asked for."""
    router = APIRouter(tags=["dead letters"])

    @router.post(
        "/dead-letters/redrive",
        status_code=202,
        summary="Send all open dead letters that fit a filter again",
        responses=_DRY_RUN,
    )
    async def redrive_dead_letters(
        body: JobRequest, response: Response, _caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> Envelope[DeadLetterJob | DeadLetterPreview]:
        return await asked(JobAction.REDRIVE, body, response)

    @router.post(
        "/dead-letters/discard",
        status_code=202,
        summary="Discard all open dead letters that fit a filter",
        responses=_DRY_RUN,
    )
    async def discard_dead_letters(
        body: JobRequest, response: Response, _caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> Envelope[DeadLetterJob | DeadLetterPreview]:
        return await asked(JobAction.DISCARD, body, response)

    async def asked(
        action: JobAction, body: JobRequest, response: Response
    ) -> Envelope[DeadLetterJob | DeadLetterPreview]:
        if body.dry_run:
            response.status_code = 200
            preview = await reader.preview(body.filter)
            return Envelope(data=preview, message="A dry run: nothing was started.")
        job = await jobs.add(action, body.filter, body.rate_per_second)
        runner.nudge()
        return Envelope(data=job, message=f"Job {job.id} is under way.")

    return router


def dead_letter_job_routes(jobs: DeadLetterJobs) -> APIRouter:
    """Where jobs are looked at, and stopped."""
    router = APIRouter(tags=["dead letters"])

    @router.get("/dead-letters/jobs", summary="List jobs on dead letters, newest first")
    async def list_dead_letter_jobs(
        _caller: Annotated[Caller, require(Scope.READ)],
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[DeadLetterJob]]:
        found = await jobs.list(before=key_in(cursor, _KEY), limit=limit + 1)
        return page(found, limit, key=lambda job: job.id)

    @router.get("/dead-letters/jobs/{job_id}", summary="A job, and how far it is")
    async def get_dead_letter_job(
        job_id: BigId, _caller: Annotated[Caller, require(Scope.READ)]
    ) -> Envelope[DeadLetterJob]:
        return Envelope(data=await existing(job_id))

    @router.post("/dead-letters/jobs/{job_id}/cancel", summary="Stop a job where it is")
    async def cancel_dead_letter_job(
        job_id: BigId, _caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> Envelope[DeadLetterJob]:
        cancelled = await jobs.cancel(job_id)
        job = await existing(job_id)
        if not cancelled:
            raise Conflict(f"Job {job_id} is {job.state}: there is nothing to stop.")
        return Envelope(data=job, message=f"Stopped; {job.remaining} were not looked at.")

    async def existing(job_id: int) -> DeadLetterJob:
        job = await jobs.get(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        return job

    return router
