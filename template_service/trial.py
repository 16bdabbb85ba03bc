"""The trial that every text from outside stands, in the jail, with its faults told by field."""

from collections.abc import Mapping
from typing import Any

from shared.errors import FieldProblem, Unprocessable
from shared.rendering import (
    ContentTooLarge,
    MissingVariable,
    RenderFailed,
    RenderingError,
    TemplateSyntaxProblem,
)
from template_service.fields import Fields
from template_service.jail import Checked, Jail


class Trial:
    """A resource: the jail, speaking of fields and their problems."""

    name = "jail"
    essential = False

    def __init__(self, jail: Jail) -> None:
        self._jail = jail

    async def open(self) -> None:
        """Nothing: the jail's processes start when they are needed."""

    async def close(self) -> None:
        await self._jail.close()

    async def ping(self) -> None:
        """Nothing: what waits for no work cannot be unwell."""

    async def check(self, fields: Fields) -> Checked:
        """What the texts use; raises Unprocessable for texts that cannot be templates."""
        try:
            return await self._jail.check(fields)
        except RenderingError as error:
            problem = _problem_of_text(error)
            raise Unprocessable(
                f"The template cannot be saved: {problem.path}, {problem.problem}", [problem]
            ) from error

    async def render(self, fields: Fields, variables: Mapping[str, Any]) -> Fields:
        """The filled fields; raises Unprocessable where these variables do not fit them."""
        try:
            return await self._jail.render(fields, variables)
        except RenderingError as error:
            problem = _problem_of_variables(error)
            raise Unprocessable(
                f"The template cannot be rendered: {problem.path}, {problem.problem}", [problem]
            ) from error


def _problem_of_text(error: RenderingError) -> FieldProblem:
    match error:
        case TemplateSyntaxProblem():
            return FieldProblem(error.field, f"line {error.line}: {error.reason}")
        case RenderFailed():
            return FieldProblem(error.field, error.reason)
        case ContentTooLarge():
            return FieldProblem(error.field, f"is longer than {error.limit} characters once filled")
        case _:
            return FieldProblem("body", str(error))


def _problem_of_variables(error: RenderingError) -> FieldProblem:
    match error:
        case MissingVariable():
            return FieldProblem(f"variables.{error.name}", "is missing")
        case RenderFailed() | ContentTooLarge():
            return FieldProblem("variables", str(error))
        case _:
            return _problem_of_text(error)
