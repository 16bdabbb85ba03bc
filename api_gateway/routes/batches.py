"""`/batches`: see how many notifications fare as one, retry what failed, cancel the rest."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from api_gateway.batches.cancellation import Cancellation
from api_gateway.batches.reader import BatchReader
from api_gateway.dead_letters.jobs import DeadLetterJobs
from api_gateway.dead_letters.runner import JobRunner
from shared.errors import Conflict, NotFound
from shared.schemas.access import Caller, Scope
from shared.schemas.batches import Batch, BatchCancelled, BatchSummary
from shared.schemas.dead_letters import FASTEST, DeadLetterFilter, DeadLetterJob, JobAction
from shared.schemas.envelope import Envelope
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page

_KEY: TypeAdapter[UUID] = TypeAdapter(UUID)
_RATE = 50


class RetryRequest(BaseModel):
    """How fast the failed ones are sent again."""

    model_config = ConfigDict(extra="forbid")

    rate_per_second: int = Field(default=_RATE, ge=1, le=FASTEST, description="At most so many.")


def batch_routes(
    reader: BatchReader, cancellation: Cancellation, jobs: DeadLetterJobs, runner: JobRunner
) -> APIRouter:
    """The routes, on what they need."""
    router = APIRouter(tags=["batches"])

    @router.get("/batches", summary="List batches, newest first")
    async def list_batches(
        _caller: Annotated[Caller, require(Scope.READ)],
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[BatchSummary]]:
        found = await reader.list(before=key_in(cursor, _KEY), limit=limit + 1)
        return page(found, limit, key=lambda batch: batch.batch_id)

    @router.get("/batches/{batch_id}", summary="A batch, and how its notifications fare")
    async def get_batch(
        batch_id: UUID, _caller: Annotated[Caller, require(Scope.READ)]
    ) -> Envelope[Batch]:
        batch = await existing(batch_id)
        return Envelope(data=batch, message=f"The batch is {batch.state}.")

    @router.post(
        "/batches/{batch_id}/retry-failed",
        status_code=202,
        summary="Send what failed of a batch again",
        response_description="A job on the batch's open dead letters. What was sent is not sent "
        "again.",
    )
    async def retry_failed_of_batch(
        batch_id: UUID,
        _caller: Annotated[Caller, require(Scope.ADMIN)],
        body: RetryRequest | None = None,
    ) -> Envelope[DeadLetterJob]:
        batch = await existing(batch_id)
        if batch.cancelled_at is not None:
            raise Conflict("The batch was cancelled: nothing of it is sent any more.")
        rate = (body or RetryRequest()).rate_per_second
        job = await jobs.add(JobAction.REDRIVE, DeadLetterFilter(batch_id=batch_id), rate)
        runner.nudge()
        return Envelope(data=job, message=f"Job {job.id} is under way.")

    @router.post(
        "/batches/{batch_id}/cancel",
        summary="Cancel what was not begun of a batch",
        response_description="No send of the batch begins from now on; what was begun goes out. "
        "What waits in the queues becomes cancelled as workers come to it.",
    )
    async def cancel_batch(
        batch_id: UUID, _caller: Annotated[Caller, require(Scope.SEND)]
    ) -> Envelope[BatchCancelled]:
        done = await cancellation.cancel(batch_id)
        batch = await existing(batch_id)
        taken, is_told = done or (0, False)
        answer = BatchCancelled(**dict(batch), cancelled_now=taken, stops_queued=is_told)
        return Envelope(data=answer, message=f"The batch is {batch.state}.")

    async def existing(batch_id: UUID) -> Batch:
        batch = await reader.get(batch_id)
        if batch is None:
            raise NotFound(f"There is no batch {batch_id}.")
        return batch

    return router
