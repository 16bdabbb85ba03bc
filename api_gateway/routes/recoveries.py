"""`/recoveries`: rebuild the queues from PostgreSQL, and follow it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import TypeAdapter

from api_gateway.memory import Memory
from api_gateway.recovery.recoveries import Recoveries
from api_gateway.recovery.runner import RecoveryRunner
from shared.errors import BrokerUnavailable, Conflict, NotFound, Unavailable
from shared.schemas.access import Caller, Scope
from shared.schemas.envelope import Envelope
from shared.schemas.recoveries import Recovery, RecoveryRequest
from shared.schemas.text import BigId
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page

_KEY: TypeAdapter[int] = TypeAdapter(BigId)
_COMING_BACK_SECONDS = 10.0
"""Whoever recovers has just brought RabbitMQ back, and the gateway may not have noticed yet."""


def recovery_routes(recoveries: Recoveries, memory: Memory, runner: RecoveryRunner) -> APIRouter:
    """The routes, on what they need."""
    router = APIRouter(tags=["recoveries"])

    @router.post(
        "/recoveries",
        status_code=202,
        summary="Rebuild the queues from PostgreSQL",
        response_description="It goes on in the background, however often a gateway restarts.",
    )
    async def start_recovery(
        body: RecoveryRequest, _caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> Envelope[Recovery]:
        if body.restored_from is None and not body.force and await nothing_is_lost():
            raise Conflict(
                "RabbitMQ has lost nothing. Use force to rebuild its queues all the same.",
                code="nothing_lost",
            )
        recovery = await recoveries.add(body.restored_from, body.rate_per_second)
        if recovery is None:
            raise Conflict("Another recovery is not finished.", code="recovery_running")
        runner.nudge()
        return Envelope(data=recovery, message=f"Recovery {recovery.id} is {recovery.state}.")

    async def nothing_is_lost() -> bool:
        await memory.wait_for_broker(_COMING_BACK_SECONDS)
        try:
            return await memory.broker_is_known() is True
        except BrokerUnavailable as error:
            raise Unavailable("RabbitMQ cannot be reached. Start it, then recover.") from error

    @router.get("/recoveries/{recovery_id}", summary="How far a recovery has come")
    async def get_recovery(
        recovery_id: BigId, _caller: Annotated[Caller, require(Scope.READ)]
    ) -> Envelope[Recovery]:
        recovery = await recoveries.get(recovery_id)
        if recovery is None:
            raise NotFound(f"There is no recovery {recovery_id}.")
        return Envelope(data=recovery, message=f"The recovery is {recovery.state}.")

    @router.get("/recoveries", summary="List recoveries, newest first")
    async def list_recoveries(
        _caller: Annotated[Caller, require(Scope.READ)],
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[Recovery]]:
        found = await recoveries.list(before=key_in(cursor, _KEY), limit=limit + 1)
        return page(found, limit, key=lambda recovery: recovery.id)

    return router
