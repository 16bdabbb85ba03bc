"""Up to 1,000 users made or updated at once, in a constant number of statements.

One look at what stands, one plan made of it, one write. If another change makes the plan wrong
meanwhile, a constraint says so, and everything starts again with a fresh look.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from shared.schemas.profile import TargetKind
from shared.schemas.users import BulkAnswer, BulkEntry, BulkResult, BulkUser, UnusableItem
from user_service.bulk_plan import Standing, Upsert, plan
from user_service.changes import Change, Overtaken
from user_service.repositories import devices, preferences, users
from user_service.repositories.devices import Target

Item = BulkUser | UnusableItem


async def upsert(change: Change, items: Sequence[Item]) -> BulkAnswer:
    """Makes or updates users by external_id; one bad entry never fails the others."""
    try:
        decisions = plan(items, await _look(change, items))
        ids = await _write(change, [d for d in decisions if isinstance(d, Upsert)])
    except IntegrityError as error:
        raise Overtaken from error
    return _answer([_entry(decision, ids) for decision in decisions])


async def _look(change: Change, items: Sequence[Item]) -> Standing:
    usable = [item for item in items if isinstance(item, BulkUser)]
    owners = await devices.owners(change.connection, [t for item in usable for t in _targets(item)])
    known = await users.lock_known(
        change.connection, external_ids=[item.external_id for item in usable], ids=owners
    )
    usernames, emails = await users.holders(
        change.connection,
        usernames=[item.username for item in usable if item.username is not None],
        emails=[item.email for item in usable if item.email is not None],
    )
    return Standing(known, usernames, emails)


async def _write(change: Change, upserts: Sequence[Upsert]) -> dict[str, int]:
    """The users' ids by external_id."""
    connection = change.connection
    people = [upsert.person for upsert in upserts]
    ids = {person.external_id: person.id for person in people if person.id is not None}
    wanted = [
        (target, upsert.person.external_id) for upsert in upserts for target in _targets(upsert)
    ]
    losers = await devices.owners(connection, [target for target, _ in wanted])
    await change.touch({*ids.values(), *losers})
    await users.change_many(connection, [person for person in people if person.id is not None])
    made = await users.add_many(connection, [person for person in people if person.id is None])
    await preferences.add(connection, made.values())
    change.touched.update(made.values())
    ids |= made
    await preferences.change(
        connection,
        {
            ids[upsert.person.external_id]: upsert.preferences.model_dump(
                exclude_unset=True, exclude={"push_token"}
            )
            for upsert in upserts
            if upsert.preferences is not None
        },
    )
    assigned = await devices.assign(
        connection,
        {target: ids[external_id] for target, external_id in wanted},
        locked=change.touched,
    )
    if len(assigned) < len(wanted):
        raise Overtaken
    return ids


def _targets(of: BulkUser | Upsert) -> list[Target]:
    if of.preferences is None or not of.preferences.push_token:
        return []
    return [Target(TargetKind.FCM_TOKEN, of.preferences.push_token)]


def _entry(decision: Upsert | BulkEntry, ids: dict[str, int]) -> BulkEntry:
    if isinstance(decision, BulkEntry):
        return decision
    person = decision.person
    return BulkEntry(
        external_id=person.external_id,
        user_id=ids[person.external_id],
        result=BulkResult.CREATED if person.id is None else BulkResult.UPDATED,
    )


def _answer(entries: list[BulkEntry]) -> BulkAnswer:
    counts = Counter(entry.result for entry in entries)
    return BulkAnswer(
        created=counts[BulkResult.CREATED],
        updated=counts[BulkResult.UPDATED],
        failed=counts[BulkResult.FAILED],
        results=entries,
    )
