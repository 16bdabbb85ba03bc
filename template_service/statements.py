"""Questions about many templates at once, each one statement."""

import dataclasses

from sqlalchemy import Integer, Select, Text, bindparam, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from template_service.models import template_versions, templates
from template_service.rows import TemplateRow, VersionRow

TEMPLATE = [templates.c[field.name] for field in dataclasses.fields(TemplateRow)]
VERSION = [template_versions.c[field.name] for field in dataclasses.fields(VersionRow)]
"""The columns, in the order of their rows' fields."""

_language = (
    func.unnest(templates.c.languages)
    .table_valued("tag", with_ordinality="age", name="language")
    .render_derived()
)


def _resolved() -> Select[tuple[int]]:
    """Parameter `keys`: a list of position, template_id, pin and (lower case) languages.

    In each of the template's languages the newest version up to the pin; of these the one whose
    language stands first among the wanted, or else came first to the template.
    """
    key = (
        func.jsonb_to_recordset(bindparam("keys", type_=JSONB))
        .table_valued(
            column("position", Integer),
            column("template_id", Text),
            column("pin", Integer),
            column("languages", ARRAY(Text)),
            name="key",
        )
        .render_derived(with_types=True)
    )
    newest = (
        select(*VERSION)
        .where(
            template_versions.c.template_id == templates.c.template_id,
            template_versions.c.language == _language.c.tag,
            template_versions.c.version <= key.c.pin,
        )
        .order_by(template_versions.c.version.desc())
        .limit(1)
        .correlate(templates, _language, key)
        .lateral("newest")
    )
    preference = func.array_position(key.c.languages, func.lower(_language.c.tag))
    chosen = (
        select(newest)
        .select_from(_language.join(newest, true()))
        .order_by(preference.nulls_last(), _language.c.age)
        .limit(1)
        .correlate(templates, key)
        .lateral("chosen")
    )
    joined = key.join(templates, templates.c.template_id == key.c.template_id).join(chosen, true())
    return select(key.c.position, *TEMPLATE, *chosen.c).select_from(joined)


def _facts() -> Select[tuple[str]]:
    """Parameter `template_ids`. One row for the newest version in each language."""
    newest = (
        select(
            template_versions.c.variables,
            template_versions.c.header_variables,
            template_versions.c.sensitive,
        )
        .where(
            template_versions.c.template_id == templates.c.template_id,
            template_versions.c.language == _language.c.tag,
        )
        .order_by(template_versions.c.version.desc())
        .limit(1)
        .correlate(templates, _language)
        .lateral("newest")
    )
    wanted = func.any(bindparam("template_ids", type_=ARRAY(Text)))
    return (
        select(*TEMPLATE, *newest.c)
        .select_from(templates.join(_language, true()).join(newest, true()))
        .where(templates.c.template_id == wanted)
    )


RESOLVED = _resolved()
FACTS = _facts()
