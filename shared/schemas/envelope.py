"""The one form of every answer, except `/health`."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import ApiError

Data = TypeVar("Data")


class FieldError(BaseModel):
    """One field of the request and what is wrong with it."""

    path: str = Field(description="Dotted path from the body's root, or the parameter's name.")
    problem: str


class ErrorBody(BaseModel):
    """What went wrong, for a program (`code`) and field by field for a form."""

    code: str = Field(examples=["validation_failed"])
    status: int = Field(examples=[422])
    fields: list[FieldError] = Field(default_factory=list)


class Meta(BaseModel):
    """What stands beside the data: pagination and hints."""

    model_config = ConfigDict(extra="allow")

    limit: int | None = Field(default=None, description="Page size that was used.")
    next_cursor: str | None = Field(default=None, description="Give it as `cursor` for more.")


class Envelope(BaseModel, Generic[Data]):
    """A successful answer."""

    success: bool = True
    data: Data
    error: None = None
    message: str = "OK"
    meta: Meta | None = None


class Failure(BaseModel):
    """An answer that says what went wrong."""

    success: bool = False
    data: None = None
    error: ErrorBody
    message: str
    meta: None = None


def failure_body(error: ApiError) -> dict[str, Any]:
    """The JSON body that tells a client of `error`."""
    fields = [FieldError(path=field.path, problem=field.problem) for field in error.fields]
    body = ErrorBody(code=error.error_code, status=error.status, fields=fields)
    return Failure(error=body, message=error.message).model_dump(mode="json")
