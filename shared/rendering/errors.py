"""What can go wrong with a template.

RenderingError
├── TemplateSyntaxProblem   it cannot be compiled: the author mends it
├── MissingVariable         it needs a variable that was not given: the sender gives it
├── RenderFailed            it broke, or was stopped, while it was filled
└── ContentTooLarge         what came out is longer than a field may be
"""

from shared.errors import CarillonError


class RenderingError(CarillonError):
    """A template could not be compiled or filled."""


class TemplateSyntaxProblem(RenderingError):
    """A field's text is no template of this dialect; `line` counts from 1."""

    def __init__(self, field: str, line: int, reason: str) -> None:
        super().__init__(f"{field}, line {line}: {reason}")
        self.field = field
        self.line = line
        self.reason = reason


class MissingVariable(RenderingError):
    """The template uses `name`, and nobody gave it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The variable {name!r} is missing.")
        self.name = name


class RenderFailed(RenderingError):
    """Filling a field broke, or was stopped; `reason` quotes no variable's value."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class ContentTooLarge(RenderingError):
    """A filled field would be longer than `limit` characters."""

    def __init__(self, field: str, limit: int) -> None:
        super().__init__(f"{field}: longer than {limit} characters once filled.")
        self.field = field
        self.limit = limit
