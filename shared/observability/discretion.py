"""Discretion: what the work at hand must not tell, hidden in its log lines and reports.

It holds for the rest of a task, so that also who logs the task's failure at its outer edge is
discreet.
"""

from collections.abc import Collection
from contextvars import ContextVar

from shared.masking import Secrets

_kept: ContextVar[tuple[Secrets, ...]] = ContextVar("kept", default=())


def keep(*secrets: Secrets) -> None:
    """From here on, nothing in this task tells of these."""
    _kept.set(secrets)


def learn(names: Collection[str]) -> None:
    """These variables of the work at hand turned out to be secrets."""
    for secrets in _kept.get():
        secrets.learn(names)


def hide(text: str) -> str:
    """The text without what is kept."""
    for secrets in _kept.get():
        text = secrets.hide(text)
    return text


def hide_in(error: Exception) -> None:
    """Takes what is kept out of what an error says."""
    if _kept.get():
        error.args = tuple(hide(arg) if isinstance(arg, str) else arg for arg in error.args)
