"""`/templates/{template_id}/versions`: what a template said before."""

from fastapi import APIRouter

from shared.schemas.access import Scope
from shared.schemas.envelope import Envelope
from shared.schemas.templates import TemplateVersion, VersionSummary
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page
from template_service import answers
from template_service.reading import Reading
from template_service.routes.parameters import (
    VERSION_KEY,
    Number,
    TemplateId,
    WantedLanguage,
)


def version_routes(reading: Reading) -> APIRouter:
    """The routes of versions."""
    router = APIRouter(
        prefix="/templates/{template_id}/versions",
        tags=["templates"],
        dependencies=[require(Scope.TEMPLATES)],
    )

    @router.get("", summary="All versions, the newest first")
    async def list_template_versions(
        template_id: TemplateId,
        language: WantedLanguage = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[VersionSummary]]:
        versions = await reading.versions(
            template_id, language=language, before=key_in(cursor, VERSION_KEY), limit=limit + 1
        )
        return page(versions, limit, key=lambda version: version.version)

    @router.get("/{number}", summary="One version in full")
    async def get_template_version(
        template_id: TemplateId, number: Number
    ) -> Envelope[TemplateVersion]:
        found = await reading.version(template_id, number)
        return Envelope(data=answers.template_version(found))

    return router
