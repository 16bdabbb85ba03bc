"""Secrets among variables: what they are shown as, what is left of them, and hidden in texts.

A template names the variables that are secrets. `None` in place of names means that nobody knows
them yet: until then every variable counts as one.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import escape

MASK = "***"

Names = Collection[str] | None

_SHORTEST = 4
"""A shorter value stands in too many innocent texts to be looked for."""

_RUN = 12
"""So many letters and digits in a row, out of a longer value, give it away."""


def is_secret(name: str, names: Names) -> bool:
    """Whether the variable of this name is one of the secrets."""
    return names is None or name in names


def masked(variables: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The variables as they are shown; a secret's whole value is masked."""
    return {name: MASK if is_secret(name, names) else v for name, v in variables.items()}


def erased(variables: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The variables as they are kept in the end: of a secret its name, with None for its value."""
    return {name: None if is_secret(name, names) else v for name, v in variables.items()}


def erased_names(variables: Mapping[str, Any], names: Names) -> list[str]:
    """Which values must be given anew before these variables fill a text again."""
    return [name for name, v in variables.items() if v is None and is_secret(name, names)]


class Secrets:
    """The secrets of one notification, hidden in what others say of it.

    A provider's refusal may quote a message, a filter may have changed a value's case or put a
    hyphen into it, and an escape may have come between: letters and digits are compared, and what
    is between them is not. Of a value longer than twelve of them, twelve in a row are enough; and
    at the end of a text, which may have been cut there, its first four are.
    """

    def __init__(self, variables: Mapping[str, Any], names: Names) -> None:
        self._variables = variables
        self._names = None if names is None else frozenset(names)
        self._wanted: _Wanted | None = None

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names as far as they are known."""
        return None if self._names is None else tuple(sorted(self._names))

    def learn(self, names: Collection[str]) -> None:
        """These are secrets too, as somebody found out who knows the template."""
        self._names = frozenset(names) | (self._names or frozenset())
        self._wanted = None

    def hide(self, text: str) -> str:
        """The text with every value in it masked."""
        if self._names is not None and self._names.isdisjoint(self._variables):
            return text
        if self._wanted is None:
            self._wanted = _Wanted(self._values())
        return self._wanted.hide(text)

    def _values(self) -> Iterator[str]:
        for name, value in self._variables.items():
            if is_secret(name, self._names):
                yield from _texts(value)


class _Wanted:
    """What is looked for, prepared once."""

    def __init__(self, values: Iterator[str]) -> None:
        forms = {form for value in values for form in (value, str(escape(value)), quote(value))}
        self._plain = {plain for plain in map(_squeezed, forms) if len(plain) >= _SHORTEST}
        self._literal = {form for form in forms if len(form) >= _SHORTEST > len(_squeezed(form))}

    def hide(self, text: str) -> str:
        hidden = bytearray(len(text))
        for begin, end in self._found(text):
            hidden[begin:end] = b"\x01" * (end - begin)
        pieces, at = [], 0
        while (begin := hidden.find(1, at)) >= 0:
            end = hidden.find(0, begin)
            pieces += [text[at:begin], MASK]
            at = end if end >= 0 else len(text)
        return "".join([*pieces, text[at:]])

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        for value in self._literal:
            yield from ((at, at + len(value)) for at in _places_of(value, text))
        plain, places = _squeezed(text), _places(text)
        for value in self._plain:
            for at, end in _shared_runs(value, plain):
                yield places[at], places[end - 1] + 1
            for length in range(min(len(value), _RUN) - 1, _SHORTEST - 1, -1):
                if plain.endswith(value[:length]):
                    yield places[-length], len(text)
                    break


def _shared_runs(value: str, text: str) -> Iterator[tuple[int, int]]:
    """Where the text holds the value, or enough of it."""
    if len(value) <= _RUN:
        yield from ((at, at + len(value)) for at in _places_of(value, text))
        return
    for at in range(len(text) - _RUN + 1):
        if text[at : at + _RUN] in value:
            yield at, at + _RUN


def _places_of(value: str, text: str) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + 1)


def _texts(value: Any) -> Iterator[str]:
    """What a value may be written as, with everything inside it."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _squeezed(text: str) -> str:
    """Its letters and digits, whatever their case."""
    return "".join(filter(str.isalnum, text)).casefold()


def _places(text: str) -> list[int]:
    """Where in the text each character of `_squeezed` stands."""
    return [at for at, char in enumerate(text) if char.isalnum() for _ in char.casefold()]
