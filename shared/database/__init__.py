"""PostgreSQL: the engine, and migrations at start."""

from shared.database.engine import Database

__all__ = ["Database"]
