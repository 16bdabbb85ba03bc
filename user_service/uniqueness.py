"""What must be unique, and how a client is told that it is taken."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from shared.errors import Conflict, FieldProblem

_FIELDS = {
    "uq_users_username_key": "username",
    "uq_users_email_key": "email",
    "uq_users_external_id": "external_id",
}


@contextmanager
def conflicts_named() -> Iterator[None]:
    """Turns a violated uniqueness into the Conflict that names the field."""
    try:
        yield
    except IntegrityError as error:
        constraint = getattr(error.driver_exception, "constraint_name", None)
        if constraint not in _FIELDS:
            raise
        raise taken(_FIELDS[constraint]) from error


def taken(field: str) -> Conflict:
    """The answer that names the field."""
    conflict = Conflict(f"Another user has this {field}.")
    conflict.fields = (FieldProblem(field, "is taken by another user"),)
    return conflict
