"""Kinds of text that a request may carry, and what each must not contain."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def without_control_characters(value: str) -> str:
    """The value itself; raises ValueError when it could break out of a header line."""
    if _CONTROL.search(value):
        raise ValueError("must not contain control characters or line breaks")
    return value


_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


def idempotency_key(value: str) -> str:
    """The value itself; raises ValueError when it cannot stand in a header as it is."""
    if not _IDEMPOTENCY_KEY.fullmatch(value):
        raise ValueError("must be 1 to 255 printable ASCII characters")
    return value


CORRELATION_ID = r"^[A-Za-z0-9._:\-]{1,128}$"
CorrelationId = Annotated[str, StringConstraints(pattern=CORRELATION_ID)]
"""What is safe in a header and a log."""


def _legible(value: str) -> str:
    return value.encode(errors="replace").decode().replace("\x00", "\ufffd")[:1000]


Said = Annotated[str, AfterValidator(_legible)]
"""What somebody outside said, as far as it can be stored and passed on; cut at 1000 characters."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""How often something happened, as PostgreSQL's integer holds it."""

Ordinal = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""Which one in a row, from 1."""

BigId = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""An id made by PostgreSQL: a positive 64-bit integer."""

LineText = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(without_control_characters)
]
"""One line that may become a header: 1 to 255 characters, no control characters."""

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$")]
"""A name that a person gives to a thing: letters, digits, `_`, `.`, `-`; up to 100."""

LanguageTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""A BCP 47 language tag such as `en` or `pt-BR`."""


IdempotencyKey = Annotated[str, AfterValidator(idempotency_key)]
"""What a caller names a request by, so that its repeats are recognised."""


def language_chain(*wanted: str | None) -> list[str]:
    """Languages to try, best first: each wanted tag, its base language, then `en`; no repeats."""
    chain: list[str] = []
    for tag in wanted:
        if tag:
            chain += [tag.lower(), tag.split("-")[0].lower()]
    return list(dict.fromkeys([*chain, "en"]))
