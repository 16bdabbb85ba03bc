"""What a bulk request will do, decided from what stands: pure, without a query."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.schemas.envelope import FieldError
from shared.schemas.users import BulkEntry, BulkResult, BulkUser, PreferencesChange, UnusableItem
from user_service.repositories.users import Person, email_key, username_key


@dataclass(frozen=True, slots=True)
class Upsert:
    """A user as they shall stand; `person.id` is None for one to be made."""

    person: Person
    preferences: PreferencesChange | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows that matters to a request.

    `known` is by external_id; `usernames` and `emails` tell the holder's id, by the key that
    they are compared by.
    """

    known: Mapping[str, Person]
    usernames: Mapping[str, int]
    emails: Mapping[str, int]


def plan(items: Sequence[BulkUser | UnusableItem], standing: Standing) -> list[Upsert | BulkEntry]:
    """For each item what to write, or why it fails; of two that collide, the first is taken."""
    claimed: set[tuple[str, str]] = set()
    decisions: list[Upsert | BulkEntry] = []
    for item in items:
        if isinstance(item, UnusableItem):
            decisions.append(_failed(item.external_id, list(item.fields)))
            continue
        person = standing.known.get(item.external_id)
        claims = list(_claims(item))
        problems = [
            *(_twice(path) for path, key in claims if (path, key) in claimed),
            *_missing(item, person),
            *_taken(item, person, standing),
        ]
        if problems:
            decisions.append(_failed(item.external_id, problems))
        else:
            claimed.update(claims)
            decisions.append(Upsert(_after(item, person), item.preferences))
    return decisions


def _claims(item: BulkUser) -> Iterator[tuple[str, str]]:
    """Each field that must be unique, and what it is compared by."""
    yield "external_id", item.external_id
    if item.username is not None:
        yield "username", username_key(item.username)
    if item.email is not None:
        yield "email", email_key(item.email)
    if item.preferences is not None and item.preferences.push_token:
        yield "preferences.push_token", item.preferences.push_token


def _missing(item: BulkUser, person: Person | None) -> Iterator[FieldError]:
    if person is None:
        for path, value in (("username", item.username), ("email", item.email)):
            if value is None:
                yield FieldError(path=path, problem="is needed for a new user")


def _taken(item: BulkUser, person: Person | None, standing: Standing) -> Iterator[FieldError]:
    own_id = person.id if person else None
    for path, holders, key in (
        ("username", standing.usernames, item.username and username_key(item.username)),
        ("email", standing.emails, item.email and email_key(item.email)),
    ):
        if key and holders.get(key, own_id) != own_id:
            yield FieldError(path=path, problem="is taken by another user")


def _twice(path: str) -> FieldError:
    return FieldError(path=path, problem="appears more than once in this request")


def _after(item: BulkUser, person: Person | None) -> Person:
    """The user with what is given put over what stands."""
    before = person or Person(
        id=None, external_id=item.external_id, username="", email="", phone_number=None, active=True
    )
    return replace(before, **item.model_dump(exclude_unset=True, exclude={"preferences"}))


def _failed(external_id: str | None, problems: list[FieldError]) -> BulkEntry:
    sentence = "; ".join(f"{p.path or 'the entry'}: {p.problem}" for p in problems)
    return BulkEntry(
        external_id=external_id, result=BulkResult.FAILED, reason=sentence, fields=problems
    )
