"""What the dialect puts around syntax whose work or result can grow."""

from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from shared.rendering import operators
from shared.rendering.metering import METER, Counted, charge


@pass_context
def _each(_context: Context, items: Any, weight: int) -> Counted:
    return Counted(items, weight)


@pass_context
def _spend(_context: Context, weight: int) -> None:
    METER.get().charge(weight)


@pass_context
def _compared(_context: Context, value: Any) -> Any:
    if isinstance(value, str | list | tuple | dict | range):
        charge(value)
    return value


@pass_context
def _joined(context: Context, parts: tuple[Any, ...]) -> str:
    return operators.concatenate(parts, escaped=bool(context.eval_ctx.autoescape))


@pass_context
def _literal(_context: Context, value: Any) -> Any:
    charge(value)
    return value


@pass_context
def _mapping(_context: Context, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    charge(pairs)
    return dict(pairs)


@pass_context
def _cut(_context: Context, value: Any, start: Any, stop: Any, step: Any) -> Any:
    charge(value)
    return value[start:stop:step]


EACH, SPEND, COMPARED, JOINED = "items of a loop", "a body", "an operand", "a joined text"
LITERAL, MAPPING, CUT = "a literal", "a mapping", "a slice"

GUARDS: dict[str, Callable[..., Any]] = {
    EACH: _each,
    SPEND: _spend,
    COMPARED: _compared,
    JOINED: _joined,
    LITERAL: _literal,
    MAPPING: _mapping,
    CUT: _cut,
}
"""Filters whose names no author can write: they are no identifiers."""
