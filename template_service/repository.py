"""Every query on templates and their versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, text, true, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import Database
from shared.schemas.content import ContentKey, TemplateFacts
from shared.schemas.templates import VersionSummary
from shared.schemas.vocabulary import Channel
from template_service.models import template_versions, templates

NEWEST = 2**31 - 1
"""A pin that every version is older than."""


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
class Version:
    """What an author saves: the texts of one language, and what their check found out."""

    language: str
    name: str
    fields: dict[str, str]
    variables: list[str]
    variables_derived: bool
    used_variables: list[str]
    header_variables: list[str]


@dataclass(frozen=True, slots=True)
class VersionRow(Version):
    """A version as it is kept."""

    template_id: str
    version: int
    created_at: datetime


Found = tuple[TemplateRow, VersionRow]

_T = tuple(column for column in templates.c)
_V = tuple(column for column in template_versions.c)
