"""Which texts a template of each channel has, as one flat mapping of field names to texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import FieldProblem
from shared.rendering.fields import DATA_PREFIX
from shared.schemas.templates import Sources
from shared.schemas.vocabulary import Channel

Fields = dict[str, str]
"""Field name to text; each value of `data` is a field `data.KEY`."""

_NAMES = tuple(name for name in Sources.model_fields if name != "data")
_RESERVED_KEYS = ("from", "message_type")
_RESERVED_BEGINNINGS = ("google", "gcm")


@dataclass(frozen=True)
class _Rule:
    required: frozenset[str]
    optional: frozenset[str] = frozenset()


_RULES = {
    Channel.EMAIL: _Rule(frozenset({"subject", "body_text"}), frozenset({"body_html"})),
    Channel.PUSH: _Rule(
        frozenset({"title", "body_text"}), frozenset({"data", "image_url", "action_url"})
    ),
    Channel.SMS: _Rule(frozenset({"body_text"})),
}


def flattened(sources: Sources) -> Fields:
    """The fields that were given a text."""
    given = {name: getattr(sources, name) for name in _NAMES}
    fields = {name: text for name, text in given.items() if text is not None}
    return fields | {f"{DATA_PREFIX}{key}": text for key, text in (sources.data or {}).items()}


def merged(fields: Fields, change: Sources) -> Fields:
    """The fields after a change: what it does not mention stays, what it sets to None goes."""
    mentioned = change.model_fields_set
    kept = {name: text for name, text in fields.items() if _top(name) not in mentioned}
    return kept | flattened(change)


def shaped(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields as an answer shows them: `data` in one place, absent ones as None."""
    prefix = len(DATA_PREFIX)
    data = {name[prefix:]: text for name, text in fields.items() if name.startswith(DATA_PREFIX)}
    return {name: fields.get(name) for name in _NAMES} | {"data": data or None}


def problems(channel: Channel, fields: Fields) -> list[FieldProblem]:
    """What keeps these fields from being a template of the channel."""
    rule = _RULES[channel]
    present = {_top(name) for name in fields}
    missing = [
        FieldProblem(name, f"is required for {channel}")
        for name in _NAMES
        if name in rule.required - present
    ]
    foreign = [
        FieldProblem(name, f"is not a field of {channel}")
        for name in sorted(present - rule.required - rule.optional)
    ]
    reserved = [
        FieldProblem(name, "is a key that push services keep for themselves")
        for name in fields
        if _is_reserved(name)
    ]
    return missing + foreign + reserved


def _top(name: str) -> str:
    return "data" if name.startswith(DATA_PREFIX) else name


def _is_reserved(name: str) -> bool:
    """Source: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages."""
    key = name.removeprefix(DATA_PREFIX)
    return key != name and (key in _RESERVED_KEYS or key.startswith(_RESERVED_BEGINNINGS))
