"""PostgreSQL: the engine, what its errors mean, and migrations at start."""

from shared.database.engine import Database
from shared.database.failures import is_refused
from shared.database.together import together_or_apart

__all__ = ["Database", "is_refused", "together_or_apart"]
