"""Which fields a template has, and what kind of text each holds."""

from enum import Enum

DATA_PREFIX = "data."
"""Fields named `data.KEY` are the values of a push message's data."""


class FieldKind(Enum):
    """What a field's text becomes, and so how it is treated."""

    HEADER = "header"
    """One line, without control characters; not escaped."""

    TEXT = "text"
    """Plain text; not escaped."""

    HTML = "html"
    """Markup; every variable is escaped."""

    URL = "url"
    """An address: one line, without control characters; not escaped."""

    @property
    def is_single_line(self) -> bool:
        """Whether control characters in the filled field are refused."""
        return self in {FieldKind.HEADER, FieldKind.URL}


_KINDS = {
    "subject": FieldKind.HEADER,
    "title": FieldKind.HEADER,
    "body_text": FieldKind.TEXT,
    "body_html": FieldKind.HTML,
    "action_url": FieldKind.URL,
    "image_url": FieldKind.URL,
}


def kind_of(field: str) -> FieldKind:
    """Return the kind of the field of this name; `ValueError` for a name that is no field."""
    if field.startswith(DATA_PREFIX):
        return FieldKind.TEXT
    try:
        return _KINDS[field]
    except KeyError:
        message = f"{field!r} is no template field; known are {', '.join(_KINDS)} and data.KEY."
        raise ValueError(message) from None
