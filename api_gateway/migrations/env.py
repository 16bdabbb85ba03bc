"""Alembic's entry to the gateway's tables."""

from api_gateway.models import metadata
from shared.database.migrations import run_environment

run_environment(metadata)
