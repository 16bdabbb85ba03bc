"""The filters of the dialect: Jinja's own, each with its growth and its work bounded.

Left out on purpose: `attr` and `pprint` (look inside), `random` (a repeat must read the same).
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

from jinja2 import Undefined, pass_context
from jinja2 import filters as builtin
from jinja2.runtime import Context
from jinja2.utils import _PassArg
from markupsafe import escape, soft_str

from shared.rendering import limits, methods, operators
from shared.rendering.metering import METER, Refused, charge, collect, weigh

Filter = Callable[..., Any]
Precaution = Callable[..., None]

MAX_INDENT = 8
MAX_DIGITS = 20


def _widths(_value: Any, *arguments: Any, **options: Any) -> None:
    for argument in (*arguments, *options.values()):
        operators.require_width(argument)
        methods.require_needle(argument)


def _slow_text(value: Any, *arguments: Any, **options: Any) -> None:
    _widths(value, *arguments, **options)
    if weigh(value) > limits.SLOW_TEXT:
        raise Refused(f"this filter takes texts of at most {limits.SLOW_TEXT} characters")
    METER.get().charge(limits.STEP * weigh(value))


def _items(value: Any, *_: Any, **__: Any) -> None:
    if isinstance(value, str) and len(value) > limits.SLOW_TEXT:
        raise Refused(f"only texts of at most {limits.SLOW_TEXT} characters are taken as a list")


def _padded_items(value: Any, *arguments: Any, **options: Any) -> None:
    _widths(value, *arguments, **options)
    _items(value)


def _digits(_value: Any, precision: Any = 0, *_: Any, **options: Any) -> None:
    digits = options.get("precision", precision)
    if isinstance(digits, int) and abs(digits) > MAX_DIGITS:
        raise Refused(f"{MAX_DIGITS} is the largest precision of a rounding")


def _joining(value: Any, d: Any = "", *_: Any, **__: Any) -> None:
    count = len(value) if isinstance(value, str | list | tuple | dict | range) else 1
    operators.require_room(weigh(value) + count * weigh(d))


def _replacing(s: Any, old: Any, new: Any, *_: Any) -> None:
    methods.require_needle(old)
    times = weigh(s) if old == "" else str(s).count(str(old))
    operators.require_room(weigh(s) + (times + 1) * weigh(new))


def _indenting(s: Any, width: Any = 4, *_: Any, **options: Any) -> None:
    width = options.get("width", width)
    operators.require_width(width)
    wide = width if isinstance(width, int) else weigh(width)
    operators.require_room(weigh(s) + (len(str(s).splitlines()) + 1) * abs(wide))


def _json_indent(_value: Any, indent: Any = None) -> None:
    if isinstance(indent, str) or (isinstance(indent, int) and indent > MAX_INDENT):
        raise Refused(f"{MAX_INDENT} is the largest indent")


def _nothing(*_: Any, **__: Any) -> None:
    """No precaution is needed beyond the meter's."""


def _format(text: Any, *values: Any, **named: Any) -> str:
    if values and named:
        raise Refused("format takes positional or named values, not both")
    return operators.format_percent(text if isinstance(text, str) else str(text), named or values)


def _sum(
    context: Context, value: Iterable[Any], attribute: str | None = None, start: Any = 0
) -> Any:
    if attribute is not None:
        value = builtin.sync_do_map(context, value, attribute=attribute)
    return reduce(operators.add, collect(value), start)


def _guarded(function: Filter, precaution: Precaution) -> Filter:
    kind = _PassArg.from_obj(function)

    @pass_context
    def call(context: Context, value: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(value, Undefined):
            str(value)
        charge(value, *arguments, *options.values())
        precaution(value, *arguments, **options)
        leading: tuple[Any, ...] = ()
        if kind is _PassArg.context:
            leading = (context,)
        elif kind is _PassArg.eval_context:
            leading = (context.eval_ctx,)
        elif kind is _PassArg.environment:
            leading = (context.environment,)
        return _settled(function(*leading, value, *arguments, **options))

    return call


def _settled(result: Any) -> Any:
    """Turn an iterator into a list, and charge the result."""
    if not isinstance(result, Undefined):
        if hasattr(result, "__next__"):
            result = collect(result)
        operators.require_number(result)
        charge(result)
    return result


def _light(function: Filter) -> Filter:
    @pass_context
    def call(context: Context, value: Any, *arguments: Any, **options: Any) -> Any:
        METER.get().charge(limits.STEP)
        leading = (context.environment,) if _PassArg.from_obj(function) else ()
        return function(*leading, value, *arguments, **options)

    return call


_LIGHT: dict[str, Filter] = {
    "count": len,
    "d": builtin.do_default,
    "default": builtin.do_default,
    "first": builtin.sync_do_first,
    "last": builtin.do_last,
    "length": len,
}

_GUARDED: dict[str, tuple[Filter, Precaution]] = {
    "abs": (abs, _nothing),
    "batch": (builtin.do_batch, _padded_items),
    "capitalize": (builtin.do_capitalize, _nothing),
    "center": (builtin.do_center, _widths),
    "dictsort": (builtin.do_dictsort, _nothing),
    "e": (escape, _nothing),
    "escape": (escape, _nothing),
    "filesizeformat": (builtin.do_filesizeformat, _nothing),
    "float": (builtin.do_float, _nothing),
    "forceescape": (builtin.do_forceescape, _nothing),
    "format": (_format, _nothing),
    "groupby": (builtin.sync_do_groupby, _items),
    "indent": (builtin.do_indent, _indenting),
    "int": (builtin.do_int, _nothing),
    "items": (builtin.do_items, _nothing),
    "join": (builtin.sync_do_join, _joining),
    "list": (builtin.sync_do_list, _items),
    "lower": (builtin.do_lower, _nothing),
    "map": (builtin.sync_do_map, _items),
    "max": (builtin.do_max, _items),
    "min": (builtin.do_min, _items),
    "reject": (builtin.sync_do_reject, _items),
    "rejectattr": (builtin.sync_do_rejectattr, _items),
    "replace": (builtin.do_replace, _replacing),
    "reverse": (builtin.do_reverse, _nothing),
    "round": (builtin.do_round, _digits),
    "safe": (builtin.do_mark_safe, _nothing),
    "select": (builtin.sync_do_select, _items),
    "selectattr": (builtin.sync_do_selectattr, _items),
    "slice": (builtin.sync_do_slice, _padded_items),
    "sort": (builtin.do_sort, _items),
    "string": (soft_str, _nothing),
    "striptags": (builtin.do_striptags, _slow_text),
    "sum": (pass_context(_sum), _items),
    "title": (builtin.do_title, _nothing),
    "tojson": (builtin.do_tojson, _json_indent),
    "trim": (builtin.do_trim, _widths),
    "truncate": (builtin.do_truncate, _nothing),
    "unique": (builtin.sync_do_unique, _items),
    "upper": (builtin.do_upper, _nothing),
    "urlencode": (builtin.do_urlencode, _nothing),
    "urlize": (builtin.do_urlize, _slow_text),
    "wordcount": (builtin.do_wordcount, _nothing),
    "wordwrap": (builtin.do_wordwrap, _slow_text),
    "xmlattr": (builtin.do_xmlattr, _nothing),
}

FILTERS: dict[str, Filter] = {
    **{name: _light(function) for name, function in _LIGHT.items()},
    **{name: _guarded(function, care) for name, (function, care) in _GUARDED.items()},
}
"""What an author may write after a `|`."""
