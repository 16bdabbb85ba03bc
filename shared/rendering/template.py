"""Templates: compiled once, filled many times."""

from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.runtime import new_context

from shared.rendering import dialect, limits
from shared.rendering.environment import ESCAPED, PLAIN, Sandbox, UndefinedName
from shared.rendering.errors import (
    ContentTooLarge,
    MissingVariable,
    RenderFailed,
    RenderingError,
    TemplateSyntaxProblem,
)
from shared.rendering.fields import FieldKind, kind_of
from shared.rendering.metering import METER, Meter, TooLarge

_CONTROL = frozenset(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]))


class _CompiledField:
    """One field's text as code."""

    __slots__ = ("_code", "_constant", "_single_line", "name", "variables")

    def __init__(self, name: str, text: str) -> None:
        kind = kind_of(name)
        sandbox = ESCAPED if kind is FieldKind.HTML else PLAIN
        self.name = name
        self._single_line = kind.is_single_line
        try:
            syntax = _parsed(sandbox, text)
            self._constant = _constant(syntax)
            self.variables = frozenset(meta.find_undeclared_variables(syntax))
            self._code = Template.from_code(sandbox, sandbox.compile(syntax), sandbox.globals)
        except TemplateSyntaxError as error:
            raise TemplateSyntaxProblem(name, error.lineno, _told(error.message)) from None
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            # What Python's own parser and compiler say to code that is too deep or too large.
            reason = "it is nested too deeply, or holds a number that is too large"
            raise TemplateSyntaxProblem(name, 1, reason) from error

    def render(self, variables: dict[str, Any]) -> str:
        """Return the filled field; `variables` hold the dialect's globals too."""
        filled = self._constant if self._constant is not None else self._filled(variables)
        if self._single_line and not filled.isprintable() and not _CONTROL.isdisjoint(filled):
            raise RenderFailed(self.name, "a control character or line break in a single line")
        return filled

    def _filled(self, variables: dict[str, Any]) -> str:
        code = self._code
        context = new_context(code.environment, None, code.blocks, variables, shared=True)
        try:
            return self._joined(code.root_render_func(context))
        except RenderingError:
            raise
        except UndefinedName as missing:
            raise MissingVariable(missing.name) from None
        except TooLarge:
            raise ContentTooLarge(self.name, limits.OUTPUT) from None
        except Exception as error:
            # A template can make any of Python's errors, and none may pass for a bug of ours.
            raise RenderFailed(self.name, _reason(error)) from error

    def _joined(self, pieces: Iterable[str]) -> str:
        kept, size = [], 0
        for piece in pieces:
            kept.append(piece)
            size += len(piece)
            if size > limits.OUTPUT:
                raise ContentTooLarge(self.name, limits.OUTPUT)
        return "".join(kept)


class CompiledTemplate:
    """A template's fields, ready to be filled."""

    __slots__ = ("_fields", "header_variables", "used_variables")

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = tuple(_CompiledField(name, text) for name, text in fields.items())
        self.used_variables = frozenset[str]().union(*(f.variables for f in self._fields))
        """The names that the template takes from its variables."""
        self.header_variables = frozenset[str]().union(
            *(f.variables for f in self._fields if kind_of(f.name) is FieldKind.HEADER)
        )
        """Those of them that flow into a header, where control characters are refused."""

    def render(self, variables: Mapping[str, object]) -> dict[str, str]:
        """Return each field filled.

        Raises `MissingVariable`, `RenderFailed` or `ContentTooLarge`. Values are what JSON knows.
        """
        known = {**PLAIN.globals, **variables}
        meter = METER.set(Meter())
        try:
            return {field.name: field.render(known) for field in self._fields}
        finally:
            METER.reset(meter)


def compile_template(fields: Mapping[str, str]) -> CompiledTemplate:
    """Compile the texts of a template's fields; raises `TemplateSyntaxProblem`."""
    return CompiledTemplate(fields)


def _parsed(sandbox: Sandbox, text: str) -> nodes.Template:
    if len(text.encode("utf-8", "surrogatepass")) > limits.SOURCE_BYTES:
        raise TemplateSyntaxError(f"longer than {limits.SOURCE_BYTES} bytes", 1)
    syntax = sandbox.parse(text)
    dialect.check(syntax)
    return dialect.guard(syntax)


def _constant(syntax: nodes.Template) -> str | None:
    """Return the text of a template that fills nothing in, or None."""
    pieces = []
    for node in syntax.body:
        if not isinstance(node, nodes.Output):
            return None
        for part in node.nodes:
            if not isinstance(part, nodes.TemplateData):
                return None
            pieces.append(part.data)
    return "".join(pieces)


def _reason(error: Exception) -> str:
    """Say what went wrong without quoting a value, which may be a secret."""
    if isinstance(error, RecursionError):
        return "it calls itself too often"
    if isinstance(error, TemplateError | TypeError | ZeroDivisionError):
        return _told(str(error))
    return f"a value cannot be used like this ({type(error).__name__})"


def _told(message: str | None) -> str:
    """Shorten a message, and keep it to one printable line."""
    printable = (char if char.isprintable() else " " for char in (message or "unknown")[:200])
    return "".join(printable)
