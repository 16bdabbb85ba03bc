"""From the body of a batch to its items: each is a good request, or the error that refuses it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from shared.errors import ApiError, FieldProblem, TooLarge, Unprocessable
from shared.schemas.batches import (
    MOST_NOTIFICATIONS,
    MOST_RECIPIENTS,
    BatchContent,
    BatchRecipient,
)
from shared.schemas.notifications import SendRequest
from shared.schemas.text import BigId
from shared.schemas.vocabulary import Priority
from shared.service.body import MAX_BODY_BYTES, check_item, read_many
from shared.service.failures import MOST_PROBLEMS, from_problems

Item = SendRequest | ApiError

_MOST_EXPANDED_BYTES = 64 * 1024 * 1024
"""What one content may grow to for all its recipients."""

_NOTIFICATIONS, _RECIPIENTS = "notifications", "recipients"
_ID: TypeAdapter[int] = TypeAdapter(BigId)
_MOST_SHOWN = 5
_BULK = Priority.LOW.value


@dataclass(frozen=True, slots=True)
class Asked:
    """A batch as it was asked for; `users` are whom its items are for, as far as they tell."""

    items: Sequence[Item]
    users: Sequence[int | None]
    canonical: Any


def read_batch(body: bytes) -> Asked:
    """The items of a body; raises ApiError where it is no batch."""
    given, is_suspicious = read_many(body)
    if not isinstance(given, dict):
        raise _wrong("body", "must be an object")
    if (_NOTIFICATIONS in given) == (_RECIPIENTS in given):
        raise _wrong("body", "must have either notifications or recipients")
    if _NOTIFICATIONS in given:
        return _notifications(
            given, is_suspicious=is_suspicious, is_long=len(body) > MAX_BODY_BYTES
        )
    return _recipients(given, is_suspicious=is_suspicious)


def _notifications(given: dict[str, Any], *, is_suspicious: bool, is_long: bool) -> Asked:
    if unknown := sorted(given.keys() - {_NOTIFICATIONS}):
        raise Unprocessable(
            f"The request has wrong fields: {', '.join(unknown)}",
            [FieldProblem(name, "Extra inputs are not permitted") for name in unknown][
                :MOST_PROBLEMS
            ],
        )
    many = _list(given, _NOTIFICATIONS, MOST_NOTIFICATIONS)
    items = [_notification(one, is_suspicious=is_suspicious, is_long=is_long) for one in many]
    return Asked(items, [_user(one) for one in many], given)


def _notification(given: Any, *, is_suspicious: bool, is_long: bool) -> Item:
    try:
        check_item(given, is_suspicious=is_suspicious)
        if is_long and len(to_json(given)) > MAX_BODY_BYTES:
            return _too_long()
        if isinstance(given, dict):
            given.setdefault("priority", _BULK)
        return SendRequest.model_validate(given)
    except ApiError as error:
        return error
    except ValidationError as error:
        return _invalid(error)


def _recipients(given: dict[str, Any], *, is_suspicious: bool) -> Asked:
    many = _list(given, _RECIPIENTS, MOST_RECIPIENTS)
    common = {name: value for name, value in given.items() if name != _RECIPIENTS}
    check_item(common, is_suspicious=is_suspicious)
    try:
        content = BatchContent.model_validate(common)
    except ValidationError as error:
        raise _invalid(error) from error
    size = len(content.model_dump_json())
    if size > MAX_BODY_BYTES or size * len(many) > _MOST_EXPANDED_BYTES:
        raise TooLarge("The content is too large for so many recipients.")
    first = _first(content)
    items = [_recipient(one, content, first, is_suspicious=is_suspicious) for one in many]
    ids = Counter(item.user_id for item in items if isinstance(item, SendRequest))
    if twice := [user for user, times in ids.items() if times > 1]:
        shown = ", ".join(map(str, twice[:_MOST_SHOWN]))
        raise _wrong(_RECIPIENTS, f"must name each user once: {shown} is there more often")
    return Asked(items, [_user(one) for one in many], given)


def _recipient(
    given: Any, content: BatchContent, first: SendRequest, *, is_suspicious: bool
) -> Item:
    try:
        check_item(given, is_suspicious=is_suspicious)
        if not isinstance(given, dict):
            return first.model_copy(update={"user_id": _ID.validate_python(given)})
        recipient = BatchRecipient.model_validate(given)
    except ApiError as error:
        return error
    except ValidationError as error:
        return _invalid(error)
    variables = {**content.variables, **recipient.variables}
    if recipient.variables and len(to_json(variables)) > MAX_BODY_BYTES:
        return _too_long()
    return first.model_copy(update={"user_id": recipient.user_id, "variables": variables})


def _first(content: BatchContent) -> SendRequest:
    """What all requests are like, but for their user and his variables."""
    return SendRequest.model_validate({**dict(content), "user_id": 1})


def _list(given: dict[str, Any], name: str, most: int) -> list[Any]:
    many = given[name]
    if not isinstance(many, list) or not 1 <= len(many) <= most:
        raise _wrong(name, f"must be a list of 1 to {most}")
    return many


def _user(given: Any) -> int | None:
    """Whom an item is for, if it says so in a way that can be shown."""
    user = given.get("user_id") if isinstance(given, dict) else given
    is_id = isinstance(user, int) and not isinstance(user, bool) and 0 < user < 2**63
    return user if is_id else None


def _invalid(error: ValidationError) -> Unprocessable:
    return from_problems(error.errors(include_url=False, include_input=False))


def _too_long() -> TooLarge:
    return TooLarge(f"The notification is larger than {MAX_BODY_BYTES // 1024} KiB.")


def _wrong(path: str, problem: str) -> Unprocessable:
    return Unprocessable(f"The request has wrong fields: {path}", [FieldProblem(path, problem)])
