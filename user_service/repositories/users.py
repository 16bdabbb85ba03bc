"""Queries on users."""

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    any_,
    delete,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.schemas.users import User
from user_service.models import users

_PUBLIC = [users.c[name] for name in User.model_fields]

_LOCK_AND_GROW = text("""
    UPDATE users SET version = version + 1, updated_at = clock_timestamp()
    FROM (SELECT id FROM users WHERE id = ANY(:ids) ORDER BY id FOR UPDATE) AS locked
    WHERE users.id = locked.id
    RETURNING users.id
""")

_INSERT_MANY = text("""
    INSERT INTO users
        (username, username_key, email, email_key, phone_number, external_id, active)
    SELECT username, username_key, email, email_key, phone_number, external_id, active
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given
        (username text, username_key text, email text, email_key text, phone_number text,
         external_id text, active boolean)
    ORDER BY external_id
    RETURNING id, external_id
""")

_UPDATE_MANY = text("""
    UPDATE users SET
        username = given.username, username_key = given.username_key,
        email = given.email, email_key = given.email_key,
        phone_number = given.phone_number, active = given.active
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given
        (id bigint, username text, username_key text, email text, email_key text,
         phone_number text, active boolean)
    WHERE users.id = given.id
""")


@dataclass(frozen=True, slots=True)
class Person:
    """A user's columns as a bulk request may change them; `id` is None before it is made."""

    id: int | None
    external_id: str
    username: str
    email: str
    phone_number: str | None
    active: bool

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "external_id": self.external_id,
            "phone_number": self.phone_number,
            "active": self.active,
            **named(username=self.username, email=self.email),
        }


def username_key(username: str) -> str:
    """What usernames are compared by: two that look alike in any case are the same."""
    return unicodedata.normalize("NFKC", username).casefold()


def email_key(email: str) -> str:
    """What email addresses are compared by."""
    return email.casefold()


def named(**values: Any) -> dict[str, Any]:
    """Column values, with the keys that `username` and `email` are compared by."""
    if "username" in values:
        values["username_key"] = username_key(values["username"])
    if "email" in values:
        values["email_key"] = email_key(values["email"])
    return values


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> int:
    """The new user's id; raises IntegrityError when something unique is taken."""
    statement = insert(users).values(named(**values)).returning(users.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def add_many(connection: AsyncConnection, people: Sequence[Person]) -> dict[str, int]:
    """Their new ids by external_id."""
    rows = json.dumps([person.row() for person in people])
    made = await connection.execute(_INSERT_MANY, {"rows": rows})
    return {row.external_id: row.id for row in made}


async def change(connection: AsyncConnection, user_id: int, values: Mapping[str, Any]) -> None:
    """Sets these columns; raises IntegrityError when something unique is taken."""
    await connection.execute(update(users).where(users.c.id == user_id).values(named(**values)))


async def change_many(connection: AsyncConnection, people: Sequence[Person]) -> None:
    """Sets the columns of known users."""
    await connection.execute(
        _UPDATE_MANY, {"rows": json.dumps([person.row() for person in people])}
    )


async def remove(connection: AsyncConnection, user_id: int) -> int | None:
    """The last version that the user had; None when there is no such user."""
    statement = delete(users).where(users.c.id == user_id).returning(users.c.version)
    version: int | None = (await connection.execute(statement)).scalar_one_or_none()
    return version


async def read(connection: AsyncConnection, user_id: int) -> User | None:
    """None when there is no such user."""
    found = await connection.execute(select(*_PUBLIC).where(users.c.id == user_id))
    row = found.one_or_none()
    return None if row is None else User.model_validate(row)


async def page(
    connection: AsyncConnection,
    *,
    after: int,
    limit: int,
    username: str | None,
    email: str | None,
    external_id: str | None,
) -> list[User]:
    """Users by id, after that one; each filter is an exact match."""
    statement = select(*_PUBLIC).where(users.c.id > after).order_by(users.c.id).limit(limit)
    if username is not None:
        statement = statement.where(users.c.username_key == username_key(username))
    if email is not None:
        statement = statement.where(users.c.email_key == email_key(email))
    if external_id is not None:
        statement = statement.where(users.c.external_id == external_id)
    return [User.model_validate(row) for row in await connection.execute(statement)]


async def lock_and_grow(connection: AsyncConnection, ids: Collection[int]) -> set[int]:
    """Locks users in the order of their ids and grows their versions; those that exist."""
    grown = await connection.execute(_LOCK_AND_GROW, {"ids": sorted(ids)})
    return {row.id for row in grown}


async def lock_known(
    connection: AsyncConnection, external_ids: Collection[str], ids: Collection[int]
) -> dict[str, Person]:
    """Locks users known by external_id, and others by id, in the order of their ids.

    Answers the first kind, by external_id.
    """
    statement = (
        select(*_PUBLIC)
        .where(or_(_among(users.c.external_id, external_ids), _among(users.c.id, ids)))
        .order_by(users.c.id)
        .with_for_update()
    )
    wanted = frozenset(external_ids)
    return {
        row.external_id: Person(
            row.id, row.external_id, row.username, row.email, row.phone_number, row.active
        )
        for row in await connection.execute(statement)
        if row.external_id in wanted
    }


async def holders(
    connection: AsyncConnection, usernames: Collection[str], emails: Collection[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """Who holds these usernames and emails, by the keys that they are compared by."""
    names = {username_key(username) for username in usernames}
    addresses = {email_key(email) for email in emails}
    statement = select(users.c.id, users.c.username_key, users.c.email_key).where(
        or_(_among(users.c.username_key, names), _among(users.c.email_key, addresses))
    )
    rows = list(await connection.execute(statement))
    return (
        {row.username_key: row.id for row in rows if row.username_key in names},
        {row.email_key: row.id for row in rows if row.email_key in addresses},
    )


def _among(column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """One array parameter, however many values: the statement stays the same."""
    return column == any_(literal(list(values), ARRAY(column.type)))
