"""Parameters that several addresses take."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import TypeAdapter

from shared.schemas.templates import Language, VersionNumber
from shared.schemas.text import Slug

TemplateId = Annotated[Slug, Path(examples=["welcome_email"])]
Number = Annotated[VersionNumber, Path(examples=[1])]
WantedLanguage = Annotated[Language | None, Query(examples=["en"])]

TEMPLATE_KEY: TypeAdapter[str] = TypeAdapter(Slug)
VERSION_KEY: TypeAdapter[int] = TypeAdapter(VersionNumber)
