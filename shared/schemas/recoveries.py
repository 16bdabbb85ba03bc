"""Recoveries: what was lost, how far rebuilding has come, and what could not be told."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _past(value: datetime) -> datetime:
    if value > datetime.now(UTC):
        raise ValueError("must be in the past")
    return value


Past = Annotated[AwareDatetime, AfterValidator(_past)]


class RecoveryState(StrEnum):
    """Where a recovery stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


class RecoveryRequest(BaseModel):
    """Asks for the queues to be rebuilt from PostgreSQL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    restored_from: Past | None = Field(
        default=None,
        description="When the backup was made that PostgreSQL was restored from; null where "
        "PostgreSQL lost nothing.",
    )
    force: bool = Field(
        default=False, description="Rebuild although RabbitMQ seems to have lost nothing."
    )
    rate_per_second: int = Field(
        default=1000, ge=1, le=100_000, description="Notifications a second, at most."
    )


class Recovery(BaseModel):
    """One recovery."""

    id: int
    state: RecoveryState
    waiting_for: str | None = Field(description="What has to come back before it goes on.")
    restored_from: datetime | None
    rate_per_second: int
    total: int | None = Field(description="Notifications that were not finished when it began.")
    looked_at: int = Field(description="How many of them it has looked at.")
    enqueued: int = Field(description="Sent on their way once more, each with its own claim.")
    held: int = Field(
        description="In the dead letters as outcome_unknown: they may have gone out, and nobody "
        "can tell."
    )
    outcomes_until: datetime | None = Field(
        description="Of sends before, PostgreSQL knows what became of them."
    )
    claims_since: datetime | None = Field(description="Of sends afterwards, Redis knows.")
    created_at: datetime
    finished_at: datetime | None
