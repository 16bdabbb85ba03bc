"""Writing templates: what is saved was checked first, and every save takes the next number."""

import asyncio
from weakref import WeakValueDictionary

from shared.database import Database
from shared.errors import Conflict, FieldProblem, NotFound, Unprocessable
from shared.schemas.templates import NewTemplate, TemplateChange
from shared.schemas.vocabulary import Channel
from template_service.fields import Fields, flattened, merged, problems
from template_service.reading import Reading, unknown
from template_service.repository import Templates
from template_service.rows import Draft, Found, TemplateRow
from template_service.trial import Trial

_TRIES = 20
_ABOUT_THE_REQUEST = {"active", "channel", "language"}


class Authoring:
    """Creates, changes, deactivates and brings back."""

    def __init__(
        self, database: Database, templates: Templates, reading: Reading, trial: Trial
    ) -> None:
        self._database = database
        self._templates = templates
        self._reading = reading
        self._trial = trial
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def create(self, new: NewTemplate) -> Found:
        """A new template, or an existing one's first version in another language.

        Raises Unprocessable, and Conflict when it exists already in this language.
        """
        draft = await self._draft(
            new.channel,
            new.language,
            new.name,
            flattened(new),
            new.variables,
            new.sensitive or [],
        )
        async with self._database.transaction() as connection:
            await self._templates.make(connection, new.template_id, new.channel)
            locked = await self._templates.lock(connection, new.template_id)
            if locked is None:
                raise unknown(new.template_id)
            _refuse_what_stands_already(locked, new)
            return await self._templates.append(connection, locked, draft, active=True)

    async def change(self, template_id: str, language: str | None, change: TemplateChange) -> Found:
        """A new version in one language; only `active` makes none.

        What others save at the same moment is kept: the change is applied on top of theirs.
        Raises NotFound, Unprocessable.
        """
        if not change.model_fields_set - _ABOUT_THE_REQUEST:
            await self._target(template_id, language, change)
            if change.active is not None:
                await self._templates.set_active(template_id, active=change.active)
            return await self._target(template_id, language, change)
        # Within this process authors take turns; between processes, whoever came later repeats.
        async with self._turns.setdefault(template_id, asyncio.Lock()):
            for _ in range(_TRIES):
                found = await self._target(template_id, language, change)
                saved = await self._save(found, await self._changed(found, change), change.active)
                if saved is not None:
                    return saved
        raise Conflict("Others change this template all the time. Send the change again.")

    async def deactivate(self, template_id: str) -> Found:
        """From now on nothing is sent from it; raises NotFound."""
        await self._templates.set_active(template_id, active=False)
        return await self._reading.template(template_id, None)

    async def _target(
        self, template_id: str, language: str | None, change: TemplateChange
    ) -> Found:
        if language and change.language and language != change.language:
            _refuse("language", f"is '{language}' in the address and another in the body")
        wanted = language or change.language
        found = await self._reading.template(template_id, wanted)
        row, version = found
        if wanted and version.language != wanted:
            raise NotFound(
                f"The template '{template_id}' has no language '{wanted}', only "
                f"{', '.join(row.languages)}. `POST /templates` adds one."
            )
        if change.channel not in (None, row.channel):
            _refuse("channel", f"is '{row.channel}' and cannot be changed")
        return found

    async def _changed(self, found: Found, change: TemplateChange) -> Draft:
        row, version = found
        declared = None if version.variables_derived else version.variables
        if "variables" in change.model_fields_set:
            declared = change.variables
        sensitive = version.sensitive
        if "sensitive" in change.model_fields_set:
            sensitive = change.sensitive or []
        return await self._draft(
            row.channel,
            version.language,
            change.name or version.name,
            merged(version.fields, change),
            declared,
            sensitive,
        )

    async def _save(self, basis: Found, draft: Draft, active: bool | None) -> Found | None:
        """None when somebody saved another version since `basis` was read."""
        row, _ = basis
        async with self._database.transaction() as connection:
            locked = await self._templates.lock(connection, row.template_id)
            if locked is None or locked.latest_version != row.latest_version:
                return None
            still = locked.active if active is None else active
            return await self._templates.append(connection, locked, draft, active=still)

    async def _draft(
        self,
        channel: Channel,
        language: str,
        name: str,
        fields: Fields,
        declared: list[str] | None,
        sensitive: list[str],
    ) -> Draft:
        """Checked texts; no database connection is held meanwhile, for a check may take long."""
        if wrong := problems(channel, fields):
            names = ", ".join(problem.path for problem in wrong)
            raise Unprocessable(f"The request has wrong fields: {names}", wrong)
        checked = await self._trial.check(fields)
        used = sorted(checked.used_variables)
        variables = used if declared is None else list(dict.fromkeys(declared))
        _refuse_unknown(sensitive, {*variables, *used})
        return Draft(
            language=language,
            name=name,
            fields=fields,
            variables=variables,
            variables_derived=declared is None,
            used_variables=used,
            header_variables=sorted(checked.header_variables),
            sensitive=list(dict.fromkeys(sensitive)),
        )


def _refuse_what_stands_already(stands: TemplateRow, new: NewTemplate) -> None:
    name = f"The template '{stands.template_id}'"
    if stands.languages and not stands.active:
        raise Conflict(
            f"{name} exists and is deactivated. "
            f'`PUT /templates/{stands.template_id}` with {{"active": true}} brings it back.'
        )
    if new.language in stands.languages:
        raise Conflict(
            f"{name} exists in '{new.language}' already. "
            f"`PUT /templates/{stands.template_id}` makes a new version."
        )
    if stands.channel != new.channel:
        _refuse("channel", f"is '{stands.channel}' in the template's other languages")


def _refuse_unknown(sensitive: list[str], known: set[str]) -> None:
    """Also where a change leaves a secret behind: its author shall say what is still one."""
    problems = [
        FieldProblem(
            f"sensitive.{position}",
            f"'{name}' is no variable of this template: declare it, use it or leave it out",
        )
        for position, name in enumerate(sensitive)
        if name not in known
    ]
    if problems:
        names = ", ".join(problem.path for problem in problems)
        raise Unprocessable(f"The request has wrong fields: {names}", problems)


def _refuse(path: str, problem: str) -> None:
    raise Unprocessable(f"The request has wrong fields: {path}", [FieldProblem(path, problem)])
