"""`/internal/templates`: what the gateway checks against, and what channel workers fill."""

from fastapi import APIRouter

from shared.schemas.content import ContentAnswer, ContentQuestion, FactsAnswer, FactsQuestion
from shared.schemas.envelope import Envelope
from shared.service.access import neighbours_only
from template_service import answers
from template_service.reading import Reading


def internal_routes(reading: Reading) -> APIRouter:
    """The routes for the suite's own services."""
    router = APIRouter(
        prefix="/internal/templates", include_in_schema=False, dependencies=[neighbours_only]
    )

    @router.post("/facts")
    async def tell_facts(question: FactsQuestion) -> Envelope[FactsAnswer]:
        facts = await reading.facts(question.template_ids)
        return Envelope(data=FactsAnswer(templates=facts))

    @router.post("/contents")
    async def tell_contents(question: ContentQuestion) -> Envelope[ContentAnswer]:
        found = await reading.contents(question.keys)
        contents = [answers.content(*one) if one else None for one in found]
        return Envelope(data=ContentAnswer(contents=contents))

    return router
