"""Alembic's entry."""

from shared.database.migrations import run_environment
from template_service.models import metadata

run_environment(metadata)
