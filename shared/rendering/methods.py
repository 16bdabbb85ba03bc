"""What a template may do to a value with a dot: a closed list for each type of value."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment, SandboxedEscapeFormatter, SandboxedFormatter
from jinja2.utils import Cycler, Namespace
from markupsafe import Markup

from shared.rendering import limits
from shared.rendering.metering import Refused, charge, metered, weigh
from shared.rendering.operators import require_room, require_width, written_width

Method = Callable[..., Any]

_DIGITS = re.compile(r"\d+")


class _BoundedFormatter(SandboxedFormatter):
    """`str.format` with bounded widths and a bounded result."""

    def format_field(self, value: Any, format_spec: str) -> str:
        for digits in _DIGITS.findall(format_spec):
            written_width(digits)
        charge(value, format_spec)
        result: str = super().format_field(value, format_spec)
        charge(result)
        return result

    def convert_field(self, value: Any, conversion: Any) -> Any:
        charge(value)
        return super().convert_field(value, conversion)


class _BoundedEscapeFormatter(_BoundedFormatter, SandboxedEscapeFormatter):
    """The same for text that is markup already: what is filled in gets escaped."""


def format_braces(environment: SandboxedEnvironment, text: str, *values: Any, **named: Any) -> str:
    """`text.format(...)`."""
    formatter: SandboxedFormatter
    if isinstance(text, Markup):
        formatter = _BoundedEscapeFormatter(environment, escape=Markup.escape)
    else:
        formatter = _BoundedFormatter(environment)
    return type(text)(formatter.vformat(text, values, named))


def join(separator: str, items: Any) -> str:
    """`separator.join(items)`."""
    require_room(weigh(items) + len(items) * len(separator))
    return separator.join(items)


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace(old, new)`."""
    require_needle(old)
    require_room(len(text) + (text.count(old) + 1) * len(new))
    return text.replace(old, new, count)


def require_needle(needle: object) -> None:
    """Refuse to search for a text so long that the search itself is work."""
    if isinstance(needle, str) and len(needle) > limits.NEEDLE:
        raise Refused(f"a text searched for or stripped has at most {limits.NEEDLE} characters")


def _searching(name: str) -> Method:
    def call(text: str, *arguments: Any) -> Any:
        for argument in arguments:
            require_needle(argument)
        return getattr(text, name)(*arguments)

    return metered(call)


def _padding(name: str) -> Method:
    def call(text: str, width: int, *fill: str) -> str:
        require_width(width)
        result: str = getattr(text, name)(width, *fill)
        return result

    return metered(call)


def _get(mapping: dict[str, Any], key: Any, default: Any = None) -> Any:
    charge(key)
    return mapping.get(key, default)


def _listing(method: Method) -> Method:
    return metered(lambda *arguments: list(method(*arguments)))


_PLAIN = [
    "capitalize",
    "casefold",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "lower",
    "splitlines",
    "swapcase",
    "title",
    "upper",
]
_SEARCHING = [
    "count",
    "endswith",
    "find",
    "index",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "rstrip",
    "split",
    "startswith",
    "strip",
]
_PADDING = ["center", "ljust", "rjust", "zfill"]

_TEXT: dict[str, Method] = {
    **{name: _searching(name) for name in (*_PLAIN, *_SEARCHING)},
    **{name: _padding(name) for name in _PADDING},
    "join": metered(join),
    "replace": metered(replace),
}
_MAPPING: dict[str, Method] = {
    "get": _get,
    "items": _listing(dict.items),
    "keys": _listing(dict.keys),
    "values": _listing(dict.values),
}
_LIST: dict[str, Method] = {"count": metered(list.count), "index": metered(list.index)}
_TUPLE: dict[str, Method] = {"count": metered(tuple.count), "index": metered(tuple.index)}

_LOOP = frozenset(
    [
        "changed",
        "cycle",
        "depth",
        "depth0",
        "first",
        "index",
        "index0",
        "last",
        "length",
        "nextitem",
        "previtem",
        "revindex",
        "revindex0",
    ]
)
_CYCLER = frozenset({"current", "next", "reset"})
_GROUP = frozenset({"grouper", "list"})


def member(environment: SandboxedEnvironment, value: Any, name: str) -> Any:
    """Return what `value.name` is; a mapping's own keys come before its methods."""
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, Undefined):
        return getattr(value, name)
    method = _methods(value).get(name)
    if method is not None:
        return partial(method, value)
    if isinstance(value, str) and name == "format":
        return partial(format_braces, environment, value)
    if _has_attribute(value, name):
        return getattr(value, name)
    return _nothing(environment, value, name)


def _nothing(environment: SandboxedEnvironment, value: Any, name: str) -> Undefined:
    if not hasattr(value, name):
        return environment.undefined(obj=value, name=name)
    hint = f"{name[:100]!r} is not available in templates"
    return environment.undefined(hint, obj=value, name=name, exc=SecurityError)


def _methods(value: Any) -> Mapping[str, Method]:
    if isinstance(value, str):
        return _TEXT
    if isinstance(value, dict):
        return _MAPPING
    if isinstance(value, list):
        return _LIST
    return _TUPLE if isinstance(value, tuple) else {}


def _has_attribute(value: Any, name: str) -> bool:
    if isinstance(value, Namespace):
        return not name.startswith("_") and hasattr(value, name)
    if isinstance(value, LoopContext):
        return name in _LOOP
    if isinstance(value, Cycler):
        return name in _CYCLER
    return isinstance(value, tuple) and name in _GROUP and hasattr(value, name)
