"""`/templates`: written, read, changed, deactivated, tried."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from shared.schemas.access import Scope
from shared.schemas.envelope import Envelope
from shared.schemas.templates import (
    NewTemplate,
    RenderedTemplate,
    RenderRequest,
    Template,
    TemplateChange,
    TemplateSummary,
)
from shared.schemas.vocabulary import Channel
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page
from template_service import answers
from template_service.authoring import Authoring
from template_service.reading import Reading
from template_service.routes.parameters import (
    TEMPLATE_KEY,
    TemplateId,
    WantedLanguage,
)


def template_routes(reading: Reading, authoring: Authoring) -> APIRouter:
    """The routes of templates."""
    router = APIRouter(
        prefix="/templates", tags=["templates"], dependencies=[require(Scope.TEMPLATES)]
    )

    @router.post("", status_code=201, summary="Save a new template, or one in another language")
    async def create_template(body: NewTemplate, response: Response) -> Envelope[Template]:
        found = await authoring.create(body)
        response.headers["Location"] = f"/templates/{body.template_id}?language={body.language}"
        return Envelope(data=answers.template(found), message="Template created")

    @router.get("", summary="All templates, by id")
    async def list_templates(
        channel: Annotated[Channel | None, Query()] = None,
        active: Annotated[bool | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[TemplateSummary]]:
        rows = await reading.page(
            channel=channel, active=active, after=key_in(cursor, TEMPLATE_KEY), limit=limit + 1
        )
        shown = [answers.summary(row, name) for row, name in rows]
        return page(shown, limit, key=lambda summary: summary.template_id)

    @router.get("/{template_id}", summary="A template as it stands, in one language")
    async def get_template(
        template_id: TemplateId, language: WantedLanguage = None
    ) -> Envelope[Template]:
        """Falls back to the base language (`pt` of `pt-BR`), `en`, the template's first."""
        return Envelope(data=answers.template(await reading.template(template_id, language)))

    @router.put("/{template_id}", summary="Save a new version, deactivate or bring back")
    async def change_template(
        template_id: TemplateId, body: TemplateChange, language: WantedLanguage = None
    ) -> Envelope[Template]:
        """Without a language: the one that `GET` without a language shows."""
        found = await authoring.change(template_id, language, body)
        return Envelope(data=answers.template(found), message="Template updated")

    @router.delete("/{template_id}", summary="Deactivate a template in all its languages")
    async def deactivate_template(template_id: TemplateId) -> Envelope[Template]:
        """Its versions stay; `PUT` with `{"active": true}` brings it back."""
        found = await authoring.deactivate(template_id)
        return Envelope(data=answers.template(found), message="Template deactivated")

    @router.post("/{template_id}/render", summary="See what a person would be sent")
    async def render_template(
        template_id: TemplateId, body: RenderRequest
    ) -> Envelope[RenderedTemplate]:
        """Nothing of it is kept or sent."""
        found, filled = await reading.render(template_id, body)
        return Envelope(data=answers.rendered(found, filled), message="Template rendered")

    return router
