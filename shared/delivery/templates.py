"""Templates for a worker: fetched once for each version, compiled once, filled many times."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from shared.batching import Gatherer
from shared.http import Neighbour
from shared.rendering import CompiledTemplate, RenderingError, compile_template
from shared.schemas.content import ContentAnswer, ContentKey, ContentQuestion, TemplateContent
from shared.schemas.text import language_chain
from shared.schemas.vocabulary import Channel
from shared.schemas.wire import NotificationMessage

_MOST = 2000
_NEWEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """A template ready to be filled, and where it comes from."""

    channel: Channel
    active: bool
    compiled: CompiledTemplate
    sensitive: frozenset[str] = frozenset()


class Templates:
    """Looks templates up.

    A pinned version never changes, so it is kept; what is the newest is asked again each second.
    """

    def __init__(self, template_service: Neighbour) -> None:
        self._template_service = template_service
        self._fetched = Gatherer(self._fetch, max_items=200, max_running=4)
        self._kept: OrderedDict[ContentKey, tuple[float, Text]] = OrderedDict()

    async def get(self, message: NotificationMessage, language: str | None) -> Text | None:
        """The text in the best language; None for an unknown template.

        Raises NeighbourUnavailable when it is not kept and the template service does not answer.
        """
        key = ContentKey(
            template_id=message.template_id,
            version=message.template_version,
            languages=tuple(language_chain(message.locale, language)),
        )
        kept = self._kept.get(key)
        if kept and kept[0] > time.monotonic():
            self._kept.move_to_end(key)
            return kept[1]
        return await self._fetched(key)

    async def _fetch(self, keys: list[ContentKey]) -> Sequence[Text | RenderingError | None]:
        wanted = list(dict.fromkeys(keys))
        question = ContentQuestion(keys=wanted)
        answer = await self._template_service.ask(
            "/internal/templates/contents", question, ContentAnswer
        )
        found: dict[ContentKey, Text | RenderingError | None] = {}
        for key, content in zip(wanted, answer.contents, strict=True):
            try:
                found[key] = self._keep(key, content) if content else None
            except RenderingError as error:
                # The trouble of those who want this text, not of all who asked for one.
                found[key] = error
        return [found[key] for key in keys]

    def _keep(self, key: ContentKey, content: TemplateContent) -> Text:
        compiled = compile_template(content.fields)
        text = Text(content.channel, content.active, compiled, content.sensitive)
        lifetime = float("inf") if key.version is not None else _NEWEST_SECONDS
        self._kept[key] = (time.monotonic() + lifetime, text)
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return text
