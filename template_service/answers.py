"""From rows to what clients and neighbours are shown."""

from shared.schemas.content import TemplateContent
from shared.schemas.templates import (
    RenderedTemplate,
    Template,
    TemplateSummary,
    TemplateVersion,
)
from template_service.fields import Fields, shaped
from template_service.rows import Found, TemplateRow, VersionRow


def template_version(found: Found) -> TemplateVersion:
    """One version in full."""
    template, version = found
    return TemplateVersion(
        template_id=template.template_id,
        version=version.version,
        language=version.language,
        channel=template.channel,
        name=version.name,
        **shaped(version.fields),
        variables=version.variables,
        undeclared_variables=_undeclared(version),
        sensitive=version.sensitive,
        created_at=version.created_at,
    )


def template(found: Found) -> Template:
    """The template as it stands, with one version in full."""
    row, _ = found
    return Template(
        **template_version(found).model_dump(exclude={"created_at"}),
        active=row.active,
        latest_version=row.latest_version,
        languages=row.languages,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def summary(row: TemplateRow, name: str) -> TemplateSummary:
    """One line of a list."""
    return TemplateSummary(
        template_id=row.template_id,
        name=name,
        channel=row.channel,
        active=row.active,
        latest_version=row.latest_version,
        languages=row.languages,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def rendered(found: Found, filled: Fields) -> RenderedTemplate:
    """What a person would be sent."""
    row, version = found
    return RenderedTemplate(
        template_id=row.template_id,
        version=version.version,
        language=version.language,
        channel=row.channel,
        **shaped(filled),
    )


def content(found: Found, sensitive: frozenset[str]) -> TemplateContent:
    """What a channel worker fills; `sensitive` are the secrets of the newest in any language."""
    row, version = found
    return TemplateContent(
        template_id=row.template_id,
        version=version.version,
        language=version.language,
        channel=row.channel,
        active=row.active,
        fields=version.fields,
        sensitive=sensitive.union(version.sensitive),
    )


def _undeclared(version: VersionRow) -> list[str]:
    return sorted(set(version.used_variables) - set(version.variables))
