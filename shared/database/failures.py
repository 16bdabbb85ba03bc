"""What an error of PostgreSQL means: it is away, or it refuses what it was given."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import BreakerOpen, DatabaseUnavailable

_LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    PoolTimeout,
    BreakerOpen,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.InternalClientError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    # What an operator at work on the database, or on its login, has it say.
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)


class translated:  # noqa: N801 - reads as a statement: `with translated():`
    """Turns "PostgreSQL is not there" into DatabaseUnavailable; lets everything else pass."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and is_lost(error):
            raise DatabaseUnavailable(
                "The database cannot be reached at the moment. Try again shortly."
            ) from error


def is_lost(error: BaseException) -> bool:
    """Whether the error says that the database is away, and not that the statement is wrong."""
    if isinstance(error, DBAPIError):
        cause = error.driver_exception if hasattr(error, "driver_exception") else error.orig
        return error.connection_invalidated or (cause is not None and _is_lost_cause(cause))
    return _is_lost_cause(error)


def _is_lost_cause(cause: BaseException) -> bool:
    # asyncpg counts wrong values among its interface errors.
    causes = (cause, cause.__cause__)
    return any(isinstance(one, _LOST) and not isinstance(one, ValueError) for one in causes)


def is_refused(error: BaseException) -> bool:
    """Whether the error says that a value cannot be stored, which no repetition changes."""
    if isinstance(error, asyncpg.InterfaceError):
        return isinstance(error, ValueError)
    return isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError)
