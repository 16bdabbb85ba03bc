"""Parameters that several addresses take."""

from typing import Annotated, TypeVar

from fastapi import Path, Query
from pydantic import TypeAdapter, ValidationError

from shared.schemas import cursor as cursors
from shared.schemas.templates import Language, VersionNumber
from shared.schemas.text import Slug

TemplateId = Annotated[Slug, Path(examples=["welcome_email"])]
Number = Annotated[VersionNumber, Path(examples=[1])]
WantedLanguage = Annotated[Language | None, Query(examples=["en"])]
Cursor = Annotated[
    str | None, Query(max_length=200, description="The `next_cursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=100, description="Page size.")]

Key = TypeVar("Key")

TEMPLATE_KEY: TypeAdapter[str] = TypeAdapter(Slug)
VERSION_KEY: TypeAdapter[int] = TypeAdapter(VersionNumber)


def key_in(cursor: str | None, kind: TypeAdapter[Key]) -> Key | None:
    """The key behind which a page begins; raises Unprocessable for a cursor that is not ours."""
    if cursor is None:
        return None
    try:
        return kind.validate_strings(cursors.decode(cursor))
    except ValidationError:
        raise cursors.invalid() from None
