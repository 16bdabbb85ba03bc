"""Parameters that several addresses take."""

from typing import Annotated

from fastapi import Path, Query

from shared.schemas.templates import Language, VersionNumber
from shared.schemas.text import Slug

TemplateId = Annotated[Slug, Path(examples=["welcome_email"])]
Number = Annotated[VersionNumber, Path(examples=[1])]
WantedLanguage = Annotated[Language | None, Query(examples=["en"])]
Cursor = Annotated[
    str | None, Query(max_length=700, description="The `next_cursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=100, description="Page size.")]
