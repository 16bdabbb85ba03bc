"""The AUTH dialogue of SMTP (RFC 4954): PLAIN and LOGIN."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Login(NamedTuple):
    """A user and a password."""

    user: str
    password: str


async def ask_login(request: str, ask: Callable[[str], Awaitable[str]]) -> Login | None:
    """The login behind an `AUTH` command; None for a mechanism that is not offered.

    `ask` sends a prompt and returns the client's line. Raises ValueError where an answer cannot
    be read or the client breaks off with `*`.
    """
    mechanism, _, initial = request.partition(" ")
    match mechanism.upper():
        case "PLAIN":
            _, user, password = _decode(initial or await ask("")).split("\0")
            return Login(user, password)
        case "LOGIN":
            user = _decode(initial or await ask(_encode("Username:")))
            return Login(user, _decode(await ask(_encode("Password:"))))
        case _:
            return None


def _encode(prompt: str) -> str:
    return base64.b64encode(prompt.encode()).decode()


def _decode(answer: str) -> str:
    return base64.b64decode(answer, validate=True).decode()
