"""What templates a request may name: facts from the template service, and how old they may be.

age                  a request                                    when no answer comes
up to a second       waits for nobody
up to ten seconds    waits a tenth of a second for newer ones     is judged by them
up to five minutes   waits up to a second                         is judged by them
older, or none       waits up to a second                         is accepted unseen
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import structlog

from shared.background import Background, Job
from shared.errors import FieldProblem, NeighbourUnavailable, Unprocessable
from shared.http import Neighbour, NeighbourMisunderstood
from shared.schemas.content import FactsAnswer, FactsQuestion, TemplateFacts
from shared.schemas.text import without_control_characters
from shared.schemas.vocabulary import Channel

log = structlog.get_logger()

_FRESH_SECONDS, _RECENT_SECONDS, _USABLE_SECONDS = 1.0, 10.0, 300.0
_SHORT_PATIENCE_SECONDS, _PATIENCE_SECONDS = 0.1, 1.0
_PAUSE_SECONDS = 0.5
_MOST_KEPT = 5000
_MOST_ASKED = 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the template service said; None: there is no such template."""

    read_at: float
    facts: TemplateFacts | None

    @property
    def usable_until(self) -> float:
        """A template that was missing a while ago may have been made since."""
        longest = _USABLE_SECONDS if self.facts else _FRESH_SECONDS + _PATIENCE_SECONDS
        return self.read_at + longest


class Catalogue(Background):
    """Template facts. A template service that is away or slow refuses nobody, and delays few.

    One question is under way at a time, for all who want to know. Nobody waits while it takes
    longer than they would, nor after it failed until another one succeeded.
    """

    name = "template-facts"

    def __init__(
        self,
        template_service: Neighbour,
        *,
        patience: float = _PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._template_service = template_service
        self._patience = patience
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._wanted: dict[str, asyncio.Future[None]] = {}
        self._something = asyncio.Event()
        self._asked_at: float | None = None
        self._fails = False

    def jobs(self) -> Sequence[Job]:
        return (self._work,)

    async def look_up(self, template_ids: Iterable[str]) -> dict[str, TemplateFacts | None]:
        """Facts by id; None for an unknown template; an id is missing when nobody could tell."""
        names = dict.fromkeys(template_ids)
        now = self._clock()
        ages = {name: now - self._kept[name].read_at for name in names if name in self._kept}
        old = [name for name in names if ages.get(name, math.inf) >= _FRESH_SECONDS]
        if old:
            are_recent = all(ages.get(name, math.inf) < _RECENT_SECONDS for name in old)
            patience = _SHORT_PATIENCE_SECONDS if are_recent else self._patience
            answers = self._want(old)
            if answers and not self._is_silent(patience):
                await asyncio.wait(answers, timeout=patience)
        now = self._clock()
        kept = {name: self._kept[name] for name in names if name in self._kept}
        return {name: one.facts for name, one in kept.items() if now < one.usable_until}

    def _is_silent(self, patience: float) -> bool:
        waiting = self._clock() - self._asked_at if self._asked_at is not None else 0.0
        return self._fails or waiting > patience

    def _want(self, names: Sequence[str]) -> list[asyncio.Future[None]]:
        """Has the template service asked for these names; each is done when it has answered.

        The names that wait to be asked for are bounded: the ones too many are left out.
        """
        for name in names:
            if name not in self._wanted and len(self._wanted) < _MOST_KEPT:
                self._wanted[name] = asyncio.get_running_loop().create_future()
        self._something.set()
        return [self._wanted[name] for name in names if name in self._wanted]

    async def _work(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._wanted:
                await self._ask(list(islice(self._wanted, _MOST_ASKED)))
                if self._fails:
                    await asyncio.sleep(_PAUSE_SECONDS)

    async def _ask(self, names: list[str]) -> None:
        """Asks once; names that nobody could be asked for stay wanted."""
        self._asked_at = now = self._clock()
        try:
            answer = await self._template_service.ask(
                "/internal/templates/facts", FactsQuestion(template_ids=names), FactsAnswer
            )
        except (NeighbourUnavailable, NeighbourMisunderstood) as error:
            if not self._fails:
                log.warning("templates cannot be checked", detail=str(error))
            self._fails = True
            self._tell_those_who_wait()
            return
        finally:
            self._asked_at = None
        if self._fails:
            log.info("templates are checked again")
        self._fails = False
        by_name = {facts.template_id: facts for facts in answer.templates}
        for name in names:
            self._keep(name, _Kept(now, by_name.get(name)))

    def _tell_those_who_wait(self) -> None:
        """There is no answer now; the names stay wanted."""
        for name, answer in self._wanted.items():
            self._wanted[name] = answer.get_loop().create_future()
            answer.set_result(None)

    def _keep(self, name: str, kept: _Kept) -> None:
        self._kept[name] = kept
        self._kept.move_to_end(name)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        self._wanted.pop(name).set_result(None)


class Filling(Protocol):
    """Variables for a template on a channel."""

    @property
    def template_id(self) -> str: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def variables(self) -> Mapping[str, Any]: ...


def objection(request: Filling, facts: TemplateFacts | None) -> Unprocessable | None:
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
