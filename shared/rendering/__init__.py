"""Templates: compiled once and filled many times, in a sandbox that no template outgrows.

    template = compile_template({"subject": "Welcome {{ name }}!", "body_text": "Hello {{ name }}"})
    template.render({"name": "Ada"})

The dialect is Jinja's, with StrictUndefined; what is left out is in `dialect` and `filters`.
"""

from shared.rendering.errors import (
    ContentTooLarge,
    MissingVariable,
    RenderFailed,
    RenderingError,
    TemplateSyntaxProblem,
)
from shared.rendering.fields import FieldKind, kind_of
from shared.rendering.template import CompiledTemplate, compile_template

__all__ = [
    "CompiledTemplate",
    "ContentTooLarge",
    "FieldKind",
    "MissingVariable",
    "RenderFailed",
    "RenderingError",
    "TemplateSyntaxProblem",
    "compile_template",
    "kind_of",
]
