"""The tests of the dialect: what an author may write after `is`."""

import operator
from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2 import tests as builtin
from jinja2.runtime import Context

from shared.rendering import limits
from shared.rendering.metering import METER, Refused, charge

Predicate = Callable[..., Any]


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise Refused("only whole numbers are odd, even or divisible")
    return value


def _is_odd(value: Any) -> bool:
    return _whole(value) % 2 == 1


def _is_even(value: Any) -> bool:
    return _whole(value) % 2 == 0


def _is_divisible(value: Any, by: Any) -> bool:
    return _whole(value) % _whole(by) == 0


def _contains(value: Any, collection: Any) -> bool:
    return value in collection


def _light(predicate: Predicate) -> Predicate:
    @pass_context
    def call(_context: Context, *arguments: Any) -> Any:
        METER.get().charge(limits.STEP)
        return predicate(*arguments)

    return call


def _weighed(predicate: Predicate) -> Predicate:
    @pass_context
    def call(_context: Context, *arguments: Any) -> Any:
        charge(*arguments)
        return predicate(*arguments)

    return call


_LIGHT: dict[str, Predicate] = {
    "boolean": builtin.test_boolean,
    "defined": builtin.test_defined,
    "escaped": builtin.test_escaped,
    "false": builtin.test_false,
    "float": builtin.test_float,
    "integer": builtin.test_integer,
    "iterable": builtin.test_iterable,
    "mapping": builtin.test_mapping,
    "none": builtin.test_none,
    "number": builtin.test_number,
    "sameas": builtin.test_sameas,
    "sequence": builtin.test_sequence,
    "string": builtin.test_string,
    "true": builtin.test_true,
    "undefined": builtin.test_undefined,
}

_WEIGHED: dict[str, Predicate] = {
    "divisibleby": _is_divisible,
    "even": _is_even,
    "in": _contains,
    "lower": builtin.test_lower,
    "odd": _is_odd,
    "upper": builtin.test_upper,
    **dict.fromkeys(("==", "eq", "equalto"), operator.eq),
    **dict.fromkeys(("!=", "ne"), operator.ne),
    **dict.fromkeys((">", "gt", "greaterthan"), operator.gt),
    **dict.fromkeys((">=", "ge"), operator.ge),
    **dict.fromkeys(("<", "lt", "lessthan"), operator.lt),
    **dict.fromkeys(("<=", "le"), operator.le),
}

TESTS: dict[str, Predicate] = {
    **{name: _light(predicate) for name, predicate in _LIGHT.items()},
    **{name: _weighed(predicate) for name, predicate in _WEIGHED.items()},
}
