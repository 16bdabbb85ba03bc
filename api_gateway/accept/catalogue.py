"""What templates a request may name: facts from the template service, kept for a second."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import structlog

from shared.errors import FieldProblem, NeighbourUnavailable, Unprocessable
from shared.http import Neighbour, NeighbourMisunderstood
from shared.schemas.content import FactsAnswer, FactsQuestion, TemplateFacts
from shared.schemas.notifications import SendRequest
from shared.schemas.text import without_control_characters

log = structlog.get_logger()

_SECONDS = 1.0
_MOST = 5000


class Catalogue:
    """Template facts, at most a second old. An unreachable template service refuses nobody."""

    def __init__(self, template_service: Neighbour) -> None:
        self._template_service = template_service
        self._kept: OrderedDict[str, tuple[float, TemplateFacts | None]] = OrderedDict()

    async def look_up(self, template_ids: Sequence[str]) -> dict[str, TemplateFacts | None]:
        """Facts by id; None for an unknown template; an id is missing when nobody could tell."""
        now = time.monotonic()
        found: dict[str, TemplateFacts | None] = {}
        missing: list[str] = []
        for template_id in dict.fromkeys(template_ids):
            kept = self._kept.get(template_id)
            if kept is not None and kept[0] > now:
                found[template_id] = kept[1]
            else:
                missing.append(template_id)
        if missing:
            try:
                found |= await self._ask(missing)
            except NeighbourUnavailable as error:
                log.warning("accepted unseen", templates=missing, detail=str(error))
            except NeighbourMisunderstood:
                log.exception("accepted unseen", templates=missing)
        return found

    async def _ask(self, template_ids: list[str]) -> dict[str, TemplateFacts | None]:
        question = FactsQuestion(template_ids=template_ids)
        answer = await self._template_service.ask(
            "/internal/templates/facts", question, FactsAnswer
        )
        by_id = {facts.template_id: facts for facts in answer.templates}
        found = {template_id: by_id.get(template_id) for template_id in template_ids}
        until = time.monotonic() + _SECONDS
        for template_id, facts in found.items():
            self._kept[template_id] = (until, facts)
            self._kept.move_to_end(template_id)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return found


def objection(request: SendRequest, facts: TemplateFacts | None) -> Unprocessable | None:
    """Why this template cannot serve this request; None when it can."""
    template_id = request.template_id
    if facts is None:
        return _refused("template_id", f"there is no template '{template_id}'")
    if not facts.active:
        return _refused("template_id", f"the template '{template_id}' is deactivated")
    if facts.channel != request.channel:
        return _refused(
            "template_id", f"the template '{template_id}' is for {facts.channel}, not here"
        )
    if missing := sorted(facts.variables - request.variables.keys()):
        problems = [FieldProblem(f"variables.{name}", "is missing") for name in missing]
        return Unprocessable(f"Variables are missing: {', '.join(missing)}", problems)
    unsafe = [
        name
        for name in sorted(facts.header_variables & request.variables.keys())
        if not _fits_a_header(request.variables[name])
    ]
    if unsafe:
        problem = "must not contain control characters or line breaks: it is part of a header"
        problems = [FieldProblem(f"variables.{name}", problem) for name in unsafe]
        return Unprocessable(f"Variables cannot be in a header: {', '.join(unsafe)}", problems)
    return None


def _fits_a_header(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_fits_a_header, value.values()))
    if isinstance(value, list):
        return all(map(_fits_a_header, value))
    if not isinstance(value, str):
        return True
    try:
        without_control_characters(value)
    except ValueError:
        return False
    return True


def _refused(path: str, problem: str) -> Unprocessable:
    return Unprocessable(problem[0].upper() + problem[1:] + ".", [FieldProblem(path, problem)])
