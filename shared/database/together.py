"""Writing many items in one statement, so that none of them fails for another."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from shared.errors import DatabaseUnavailable

log = structlog.get_logger()

Item = TypeVar("Item")
Result = TypeVar("Result")

Write = Callable[[list[Item]], Awaitable[Sequence[Result]]]


async def together_or_apart(
    items: Sequence[Item], write: Write[Item, Result]
) -> list[Result | Exception]:
    """What `write` answers for each item; if it fails for all, each is written by itself.

    The result of an item that fails alone too is its error. Raises DatabaseUnavailable.
    """
    try:
        return list(await write(list(items)))
    except DatabaseUnavailable:
        raise
    except Exception as error:
        if len(items) == 1:
            return [error]
        log.warning("a gathering failed, its items go one by one", size=len(items), exc_info=True)
    results: list[Result | Exception] = []
    for item in items:
        try:
            results += await write([item])
        except Exception as error:  # noqa: BLE001 - told to whoever asked for this item
            results.append(error)
    return results
