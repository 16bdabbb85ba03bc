"""Reading and trying templates."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import FieldProblem, NotFound, Unprocessable
from shared.schemas.content import ContentKey, TemplateFacts
from shared.schemas.templates import RenderRequest, VersionSummary
from shared.schemas.text import language_chain, without_control_characters
from shared.schemas.vocabulary import Channel
from template_service.fields import Fields
from template_service.repository import Templates
from template_service.rows import Found, TemplateRow, VersionRow
from template_service.trial import Trial


class Reading:
    """Finds templates, versions and contents, and fills them for a try."""

    def __init__(self, templates: Templates, trial: Trial) -> None:
        self._templates = templates
        self._trial = trial

    async def template(
        self, template_id: str, language: str | None, version: int | None = None
    ) -> Found:
        """The newest content up to `version`; raises NotFound.

        In this language, else its base language, `en`, the template's first.
        """
        languages = tuple(language_chain(language))
        key = ContentKey(template_id=template_id, version=version, languages=languages)
        [found] = await self._templates.resolve([key])
        if found is None:
            raise unknown(template_id)
        return found

    async def version(self, template_id: str, number: int) -> Found:
        """Exactly this version; raises NotFound."""
        found = await self._templates.version(template_id, number)
        if found is None:
            raise NotFound(f"There is no version {number} of a template '{template_id}'.")
        return found

    async def versions(
        self, template_id: str, *, language: str | None, before: int | None, limit: int
    ) -> list[VersionSummary]:
        """The newest first; raises NotFound for an unknown template."""
        versions = await self._templates.versions(
            template_id, language=language, before=before, limit=limit
        )
        if not versions and not await self._templates.exists(template_id):
            raise unknown(template_id)
        return versions

    async def page(
        self, *, channel: Channel | None, active: bool | None, after: str | None, limit: int
    ) -> list[tuple[TemplateRow, str]]:
        """Templates in the order of their ids, each with its name."""
        return await self._templates.page(channel=channel, active=active, after=after, limit=limit)

    async def render(self, template_id: str, request: RenderRequest) -> tuple[Found, Fields]:
        """The content that the request means, filled; raises NotFound, Unprocessable."""
        if request.version is not None:
            found = await self.version(template_id, request.version)
        if request.version is None or request.language is not None:
            found = await self.template(template_id, request.language, request.version)
        _, version = found
        _refuse_unfit(version, request.variables)
        return found, await self._trial.render(version.fields, request.variables)

    async def facts(self, template_ids: Sequence[str]) -> list[TemplateFacts]:
        """Of those that exist."""
        return await self._templates.facts(template_ids)

    async def contents(
        self, keys: Sequence[ContentKey]
    ) -> list[tuple[Found, frozenset[str]] | None]:
        """For each key, in order, the content and the template's secrets in all languages.

        Keys that are the same are looked up once. A later version may make a variable a secret:
        older texts then keep it too.
        """
        distinct = list(dict.fromkeys(keys))
        found = dict(zip(distinct, await self._templates.resolve(distinct), strict=True))
        facts = await self.facts(list({key.template_id for key in distinct}))
        secrets = {known.template_id: known.sensitive for known in facts}
        return [
            (content, secrets[key.template_id]) if (content := found[key]) else None for key in keys
        ]


def unknown(template_id: str) -> NotFound:
    """What to raise for an id that no template has."""
    return NotFound(f"There is no template '{template_id}'.")


def _refuse_unfit(version: VersionRow, variables: Mapping[str, Any]) -> None:
    """Names every variable for which a send with these would be refused."""
    problems = [
        FieldProblem(f"variables.{name}", "is missing")
        for name in version.variables
        if name not in variables
    ]
    for name in version.header_variables:
        try:
            without_control_characters(str(variables.get(name, "")))
        except ValueError as error:
            problems.append(FieldProblem(f"variables.{name}", str(error)))
    if problems:
        names = ", ".join(problem.path for problem in problems)
        raise Unprocessable(f"The template cannot be rendered with these: {names}", problems)
