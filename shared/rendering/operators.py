"""Operators whose result can be far larger than what they are given."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2.runtime import markup_join, str_join

from shared.rendering import limits
from shared.rendering.metering import METER, Refused, TooLarge, charge, weigh

_CONVERSION = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d*)(?:\.(\*|\d*))?")


def require_room(size: int) -> None:
    """Charge a text of this length before it is made; `TooLarge` if no field could hold it."""
    if size > limits.OUTPUT:
        raise TooLarge
    METER.get().charge(limits.STEP + size)


def require_width(width: object) -> None:
    """Refuse a width, precision or count that is beyond every honest use."""
    if isinstance(width, int) and abs(width) > limits.WIDTH:
        raise Refused(f"{limits.WIDTH} is the largest width, count or precision")


def written_width(digits: str) -> int:
    """Return the width written in a format text; a `*`, or one beyond honest use, is refused."""
    if digits == "*" or len(digits) > len(str(limits.WIDTH)):
        raise Refused(f"{limits.WIDTH} is the largest width, and it is written in the format")
    require_width(int(digits))
    return int(digits)


def require_number(value: object) -> None:
    """Refuse whole numbers too large to be written down quickly."""
    if isinstance(value, int) and value.bit_length() > limits.NUMBER_BITS:
        raise Refused("a number grew too large")


def add(left: Any, right: Any) -> Any:
    """`left + right`."""
    if not isinstance(left, int | float):
        charge(left, right)
    result = left + right
    if isinstance(result, int | float):
        require_number(result)
    else:
        charge(result)
    return result


def multiply(left: Any, right: Any) -> Any:
    """`left * right`, also the repetition of a text or list."""
    for repeated, times in ((left, right), (right, left)):
        if not isinstance(repeated, int | float) and isinstance(times, int):
            require_room(weigh(repeated) * max(times, 0))
    if isinstance(left, int) and isinstance(right, int):
        _require_bits(left.bit_length() + right.bit_length())
    return left * right


def power(left: Any, right: Any) -> Any:
    """`left ** right`."""
    if isinstance(left, int) and isinstance(right, int):
        _require_bits(left.bit_length() * max(right, 0))
    return left**right


def remainder(left: Any, right: Any) -> Any:
    """`left % right`, also the old way to format a text."""
    if isinstance(left, str):
        return format_percent(left, right)
    return left % right


def format_percent(text: str, values: Any) -> str:
    """`text % values`, with bounded widths and a bounded result."""
    widths = [written_width(width) for pair in _CONVERSION.findall(text) for width in pair if width]
    single = not isinstance(values, tuple | Mapping)
    weights = [weigh(values)] if single else list(map(weigh, _members(values)))
    pieces = text.count("%")
    # A mapping's value may be used by each piece, a tuple's and a single one by one only.
    largest = max(weights, default=0) * (pieces if isinstance(values, Mapping) else 1)
    require_room(len(text) + sum(widths) + sum(weights) + largest + 8 * pieces)
    result: str = text % values
    charge(result)
    return result


def concatenate(parts: tuple[Any, ...], *, escaped: bool) -> str:
    """`a ~ b ~ c`."""
    charge(*parts)
    join: Callable[..., str] = markup_join if escaped else str_join
    result = join(parts)
    charge(result)
    return result


def concatenate_output(parts: Any) -> str:
    """Join the pieces that a macro or a captured block wrote."""
    pieces = list(parts)
    require_room(sum(map(len, pieces)))
    return "".join(pieces)


def _require_bits(bits: int) -> None:
    if bits > limits.NUMBER_BITS:
        raise Refused("a number grew too large")


def _members(values: Any) -> list[Any]:
    return list(values.values()) if isinstance(values, Mapping) else list(values)


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": operator.sub,
    "*": multiply,
    "/": operator.truediv,
    "//": operator.floordiv,
    "**": power,
    "%": remainder,
}
