"""How Alembic finds the tables."""

from shared.database.migrations import run_environment
from user_service.models import metadata

run_environment(metadata)
