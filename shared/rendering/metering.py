"""The meter: every render has a fixed amount of effort, and everything it does is charged."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2 import TemplateRuntimeError, Undefined

from shared.rendering import limits


class Refused(TemplateRuntimeError):
    """The template asked for something this dialect does not do."""


class TooLarge(Refused):
    """A value grew past what a field may hold."""


class Meter:
    """What one render may still spend."""

    __slots__ = ("_deadline", "_left", "_next_look")

    def __init__(self) -> None:
        self._left = limits.EFFORT
        self._next_look = limits.EFFORT - limits.CLOCK_EVERY
        self._deadline: float | None = None

    def charge(self, effort: int) -> None:
        """Take effort off; `Refused` when none is left, or the time is over."""
        self._left -= effort
        if self._left < self._next_look:
            self._look()

    def _look(self) -> None:
        # The thread's own time: a busy machine must not fail an innocent template.
        now = time.thread_time()
        if self._deadline is None:
            self._deadline = now + limits.CPU_SECONDS
        if self._left < 0 or now > self._deadline:
            raise Refused("it takes too much work: fewer or shorter loops, or smaller values")
        self._next_look = max(0, self._left - limits.CLOCK_EVERY)


METER: ContextVar[Meter] = ContextVar("meter")
"""The meter of the render under way; unset while compiling, so that nothing runs then."""


def weigh(value: object) -> int:
    """Return about how many characters the text of a value takes.

    Shared parts count each time they are seen, as they would be written each time.
    Raises `TooLarge` beyond the output limit, and `Refused` for what is no data.
    """
    if isinstance(value, str):
        if len(value) > limits.OUTPUT:
            raise TooLarge
        return len(value)
    weight = 0
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        weight += _own_weight(part)
        if weight > limits.OUTPUT:
            raise TooLarge
        if isinstance(part, Mapping):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
    return weight


def _own_weight(part: object) -> int:
    """Return what a part weighs without its members, and a little for the memory it takes."""
    match part:
        case str():
            return 8 + len(part)
        case None | float():
            return 16
        case int():
            return 8 + part.bit_length() // 3
        case list() | tuple() | range() | Mapping():
            return 24 + 8 * len(part)
        case Undefined():
            str(part)
    raise Refused(f"a {type(part).__name__} is not a value to work with")


def charge(*values: object) -> None:
    """Charge one step and the weight of these values."""
    METER.get().charge(limits.STEP + sum(map(weigh, values)))


def collect(values: Iterable[Any]) -> list[Any]:
    """Return the values as a list, charging each as it comes."""
    spend = METER.get().charge
    collected = []
    for value in values:
        spend(limits.STEP)
        collected.append(value)
    return collected


def metered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its arguments and its result charged."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        charge(*arguments, *options.values())
        result = function(*arguments, **options)
        charge(result)
        return result

    return call


class Counted:
    """A collection whose every pass through a loop is charged."""

    __slots__ = ("_items", "_weight")

    def __init__(self, items: Any, weight: int) -> None:
        if isinstance(items, Undefined):
            str(items)
        if not isinstance(items, str | list | tuple | Mapping | range):
            raise Refused(f"a {type(items).__name__} cannot be looped over")
        self._items = items
        self._weight = weight

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        spend = METER.get().charge
        for item in self._items:
            spend(self._weight)
            yield item
