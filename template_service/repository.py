"""Every query on templates and their versions."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_unless_there
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Executable

from shared.database import Database
from shared.schemas.content import ContentKey, TemplateFacts
from shared.schemas.templates import VersionSummary
from shared.schemas.vocabulary import Channel
from template_service.models import template_versions, templates
from template_service.rows import Draft, Found, TemplateRow, VersionRow
from template_service.statements import FACTS, RESOLVED, TEMPLATE, VERSION

_NEWEST = 2**31 - 1


class Templates:
    """The tables, asked and told. Methods that take a connection want it in a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resolve(self, keys: Sequence[ContentKey]) -> list[Found | None]:
        """The version that each key means; where no wanted language exists, the first one's."""
        wanted = [
            {
                "position": position,
                "template_id": key.template_id,
                "pin": _NEWEST if key.version is None else max(0, min(key.version, _NEWEST)),
                "languages": [language.lower() for language in key.languages],
            }
            for position, key in enumerate(keys)
        ]
        rows = await self._rows(RESOLVED, {"keys": wanted})
        found = {row[0]: _found(row[1:]) for row in rows}
        return [found.get(position) for position in range(len(keys))]

    async def version(self, template_id: str, number: int) -> Found | None:
        """Exactly this version."""
        own = template_versions.c.template_id == templates.c.template_id
        query = (
            select(*TEMPLATE, *VERSION)
            .join_from(templates, template_versions, own)
            .where(templates.c.template_id == template_id, template_versions.c.version == number)
        )
        rows = await self._rows(query)
        return _found(rows[0]) if rows else None

    async def exists(self, template_id: str) -> bool:
        query = select(templates.c.template_id).where(templates.c.template_id == template_id)
        return bool(await self._rows(query))

    async def versions(
        self, template_id: str, *, language: str | None, before: int | None, limit: int
    ) -> list[VersionSummary]:
        """The newest first."""
        shown = [template_versions.c[name] for name in VersionSummary.model_fields]
        query = select(*shown).where(template_versions.c.template_id == template_id)
        if language is not None:
            query = query.where(template_versions.c.language == language)
        if before is not None:
            query = query.where(template_versions.c.version < before)
        rows = await self._rows(query.order_by(template_versions.c.version.desc()).limit(limit))
        return [VersionSummary.model_validate(row, from_attributes=True) for row in rows]

    async def page(
        self, *, channel: Channel | None, active: bool | None, after: str | None, limit: int
    ) -> list[tuple[TemplateRow, str]]:
        """Templates in the order of their ids, each with its name in its first language."""
        name = (
            select(template_versions.c.name)
            .where(
                template_versions.c.template_id == templates.c.template_id,
                template_versions.c.language == templates.c.languages[1],
            )
            .order_by(template_versions.c.version.desc())
            .limit(1)
            .scalar_subquery()
        )
        query = select(*TEMPLATE, name)
        if channel is not None:
            query = query.where(templates.c.channel == channel)
        if active is not None:
            query = query.where(templates.c.active.is_(active))
        if after is not None:
            query = query.where(templates.c.template_id > after)
        rows = await self._rows(query.order_by(templates.c.template_id).limit(limit))
        return [(TemplateRow(*row[:-1]), row[-1]) for row in rows]

    async def facts(self, template_ids: Sequence[str]) -> list[TemplateFacts]:
        """What the newest versions in all languages have, put together."""
        facts: dict[str, TemplateFacts] = {}
        for row in await self._rows(FACTS, {"template_ids": list(template_ids)}):
            *columns, variables, header_variables, sensitive = row
            template = TemplateRow(*columns)
            newest = TemplateFacts(
                template_id=template.template_id,
                version=template.latest_version,
                channel=template.channel,
                active=template.active,
                variables=frozenset(variables),
                header_variables=frozenset(header_variables),
                sensitive=frozenset(sensitive),
            )
            known = facts.get(template.template_id)
            facts[template.template_id] = _joined(known, newest) if known else newest
        return list(facts.values())

    async def lock(self, connection: AsyncConnection, template_id: str) -> TemplateRow | None:
        """The template as it stands, kept from others until the transaction ends."""
        query = select(*TEMPLATE).where(templates.c.template_id == template_id)
        row = (await connection.execute(query.with_for_update())).one_or_none()
        return TemplateRow(*row) if row else None

    async def make(self, connection: AsyncConnection, template_id: str, channel: Channel) -> None:
        """Puts a template there, without any version, unless one is there already."""
        values = {
            "template_id": template_id,
            "channel": channel,
            "latest_version": 0,
            "languages": [],
        }
        await connection.execute(
            insert_unless_there(templates).values(values).on_conflict_do_nothing()
        )

    async def append(
        self, connection: AsyncConnection, locked: TemplateRow, draft: Draft, *, active: bool
    ) -> Found:
        """Saves a draft under the next number of the template that `lock` gave."""
        number = locked.latest_version + 1
        new_language = [] if draft.language in locked.languages else [draft.language]
        changed = await connection.execute(
            update(templates)
            .where(templates.c.template_id == locked.template_id)
            .values(
                latest_version=number,
                languages=[*locked.languages, *new_language],
                active=active,
                updated_at=func.clock_timestamp(),
            )
            .returning(*TEMPLATE)
        )
        added = await connection.execute(
            insert(template_versions)
            .values(template_id=locked.template_id, version=number, **dataclasses.asdict(draft))
            .returning(*VERSION)
        )
        return TemplateRow(*changed.one()), VersionRow(*added.one())

    async def set_active(self, template_id: str, *, active: bool) -> None:
        """Switches a template on or off, where it is not so already."""
        async with self._database.connect() as connection:
            await connection.execute(
                update(templates)
                .where(templates.c.template_id == template_id, templates.c.active.is_not(active))
                .values(active=active, updated_at=func.clock_timestamp())
            )

    async def _rows(
        self, query: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Any]:
        async with self._database.connect() as connection:
            return (await connection.execute(query, parameters)).all()


def _joined(one: TemplateFacts, other: TemplateFacts) -> TemplateFacts:
    """What two languages of one template have together."""
    names = ("variables", "header_variables", "sensitive")
    return one.model_copy(
        update={name: getattr(one, name) | getattr(other, name) for name in names}
    )


def _found(columns: Sequence[Any]) -> Found:
    split = len(TEMPLATE)
    return TemplateRow(*columns[:split]), VersionRow(*columns[split:])
