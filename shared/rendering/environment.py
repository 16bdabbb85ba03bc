"""The sandbox: Jinja's immutable one, with a closed world of values, calls and operators."""

from functools import partial
from types import MethodType
from typing import Any

from jinja2 import StrictUndefined, Undefined, UndefinedError, pass_context
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Cycler, Joiner, Namespace, missing

from shared.rendering import limits
from shared.rendering.filters import FILTERS
from shared.rendering.guards import GUARDS
from shared.rendering.metering import METER, Refused, charge, weigh
from shared.rendering.methods import member
from shared.rendering.operators import OPERATORS, concatenate_output
from shared.rendering.predicates import TESTS


class UndefinedName(UndefinedError):
    """A name that the template needs, and that nothing defines."""

    def __init__(self, name: str, message: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class _Required(StrictUndefined):
    """An undefined value that, when used, says which name it was."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: Any = None, exc: Any = None
    ) -> None:
        # Jinja only ever calls what it is given as the exception's type.
        nameless = UndefinedError if name is None else partial(UndefinedName, str(name)[:200])
        failure: Any = exc or nameless
        super().__init__(hint, obj, name, failure)


def _new_mapping(*pairs: Any, **named: Any) -> dict[Any, Any]:
    charge(*pairs, *named.values())
    return dict(*pairs, **named)


_GLOBALS: dict[str, Any] = {
    "cycler": Cycler,
    "dict": _new_mapping,
    "joiner": Joiner,
    "namespace": Namespace,
    "range": safe_range,
}


@pass_context
def _shown(_context: Context, value: Any) -> Any:
    """Charge what is written out; what is no data cannot be."""
    if type(value) is str:
        METER.get().charge(limits.STEP + len(value))
    elif not isinstance(value, Undefined):
        METER.get().charge(limits.STEP + weigh(value))
    return value


class Sandbox(ImmutableSandboxedEnvironment):
    """Where templates are compiled and filled; nothing reaches beyond what is listed."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(concatenate_output)

    def __init__(self, *, escaped: bool) -> None:
        super().__init__(
            autoescape=escaped,
            undefined=_Required,
            finalize=_shown,
            keep_trailing_newline=True,
            # Folding constants would run a template's operators before any meter is set.
            optimized=False,
            cache_size=0,
        )
        self.globals = dict(_GLOBALS)
        self.filters = {**FILTERS, **GUARDS}
        self.tests = dict(TESTS)
        self.binop_table = dict(OPERATORS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        METER.get().charge(limits.STEP)
        return member(self, obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        charge(argument)
        if isinstance(obj, str | list | tuple | dict | range):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        if isinstance(argument, str):
            return member(self, obj, argument)
        return self.undefined(obj=obj, name=argument)

    def call(self, context: Context, called: Any, /, *arguments: Any, **options: Any) -> Any:
        METER.get().charge(limits.STEP * (1 + len(arguments) + len(options)))
        if isinstance(called, Undefined):
            str(called)
        if not _is_callable(called):
            raise Refused(f"a {type(called).__name__} cannot be called")
        if isinstance(called, MethodType):
            charge(*arguments)
        return context.call(called, *arguments, **options)


def _is_callable(called: Any) -> bool:
    """Whether a template may call this: a macro, a listed method, or a listed global."""
    if isinstance(called, Macro | Joiner | partial | MethodType):
        return True
    return any(called is known for known in _GLOBALS.values())


PLAIN = Sandbox(escaped=False)
ESCAPED = Sandbox(escaped=True)
