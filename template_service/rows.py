"""Templates and versions as the tables keep them."""

from dataclasses import dataclass
from datetime import datetime

from shared.schemas.vocabulary import Channel
from template_service.fields import Fields


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template without its texts."""

    template_id: str
    channel: Channel
    active: bool
    latest_version: int
    languages: list[str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What an author saves: the texts of one language, and what their check found out."""

    language: str
    name: str
    fields: Fields
    variables: list[str]
    variables_derived: bool
    used_variables: list[str]
    header_variables: list[str]
    sensitive: list[str]


@dataclass(frozen=True, slots=True)
class VersionRow(Draft):
    """A draft that was saved under a number."""

    template_id: str
    version: int
    created_at: datetime


Found = tuple[TemplateRow, VersionRow]
"""A template, and the version of it that was asked for."""
