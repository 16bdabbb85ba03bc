"""What a category asks for: how long its notifications live, and what an unknown outcome means."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from shared.schemas.notifications import LONGEST_LIFETIME
from shared.schemas.text import Slug
from shared.schemas.vocabulary import OnUnknown

ONE_TIME_CODE = "one_time_code"
"""The category that needs no settings: a code is worth nothing after minutes, nor twice."""

_LIFETIME = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Value = TypeVar("Value")


def _by_category(value: Callable[[str], Value]) -> Callable[[object], object]:
    """Reads `category=value, category=value`."""

    def read(given: object) -> object:
        if not isinstance(given, str):
            return given
        pairs = [pair.partition("=") for pair in given.split(",") if pair.strip()]
        return {category.strip(): value(said.strip()) for category, _, said in pairs}

    return read


def _lifetime(said: str) -> timedelta:
    match = _LIFETIME.fullmatch(said)
    if match is None:
        raise ValueError(f"'{said}' is no lifetime: a whole number and s, m, h or d are expected")
    lifetime = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if lifetime > LONGEST_LIFETIME:
        raise ValueError(f"'{said}' is longer than {LONGEST_LIFETIME.days} days")
    return lifetime


CategoryLifetimes = Annotated[
    dict[Slug, timedelta], NoDecode, BeforeValidator(_by_category(_lifetime))
]
CategoryOnUnknown = Annotated[dict[Slug, OnUnknown], NoDecode, BeforeValidator(_by_category(str))]


class Categories:
    """The rules of every category; those that are given win over what is built in."""

    def __init__(
        self,
        *,
        default_lifetime: timedelta,
        lifetimes: Mapping[str, timedelta],
        on_unknown: Mapping[str, OnUnknown],
    ) -> None:
        self._default_lifetime = default_lifetime
        self._lifetimes = {ONE_TIME_CODE: timedelta(minutes=10), **lifetimes}
        self._on_unknown: dict[str, OnUnknown] = {ONE_TIME_CODE: "hold", **on_unknown}

    def lifetime(self, category: str | None) -> timedelta:
        """How long a notification lives whose request does not say."""
        return self._lifetimes.get(category or "", self._default_lifetime)

    def on_unknown(self, category: str | None) -> OnUnknown | None:
        """What becomes of a send whose outcome nobody knows; None leaves it to the channel."""
        return self._on_unknown.get(category or "")
