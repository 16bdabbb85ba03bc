"""`/templates/{template_id}/versions`: what a template said before."""

from fastapi import APIRouter

from shared.schemas import cursor as cursors
from shared.schemas.access import Scope
from shared.schemas.envelope import Envelope, Meta
from shared.schemas.templates import TemplateVersion, VersionSummary
from shared.service import require
from template_service import answers
from template_service.reading import Reading
from template_service.routes.parameters import (
    VERSION_KEY,
    Cursor,
    Limit,
    Number,
    TemplateId,
    WantedLanguage,
    key_in,
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
        page = versions[:limit]
        more = cursors.encode(str(page[-1].version)) if len(versions) > limit else None
        return Envelope(data=page, meta=Meta(limit=limit, next_cursor=more))

    @router.get("/{number}", summary="One version in full")
    async def get_template_version(
        template_id: TemplateId, number: Number
    ) -> Envelope[TemplateVersion]:
        found = await reading.version(template_id, number)
        return Envelope(data=answers.template_version(found))

    return router
