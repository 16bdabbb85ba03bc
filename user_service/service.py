"""What can be done with one user, their preferences and their devices."""

from collections.abc import Sequence
from typing import Any

from shared.database import Database
from shared.errors import NotFound
from shared.schemas.profile import DeadDevice, Profile, TargetKind
from shared.schemas.users import (
    BulkAnswer,
    BulkUser,
    Device,
    NewDevice,
    NewUser,
    Preferences,
    PreferencesChange,
    UnusableItem,
    User,
    UserChange,
)
from user_service import bulk
from user_service.changes import Change, Changed, Changes, Overtaken, no_such_user
from user_service.passwords import Passwords
from user_service.repositories import devices, preferences, profiles, users
from user_service.repositories.devices import Assigned, Target
from user_service.uniqueness import conflicts_named


class Users:
    """The users of the suite. Methods raise NotFound for an unknown user or device."""

    def __init__(self, database: Database, changes: Changes, passwords: Passwords) -> None:
        self._database = database
        self._changes = changes
        self._passwords = passwords

    async def create(self, new: NewUser) -> Changed[User]:
        """Raises Conflict when username, email or external_id is taken."""
        given = new.model_dump(exclude={"password", "preferences"})
        given |= await self._hashed(new)
        wishes = new.preferences or PreferencesChange()

        async def work(change: Change) -> User:
            user_id = await users.add(change.connection, given)
            await preferences.add(change.connection, [user_id])
            change.touched.add(user_id)
            await prefer(change, user_id, wishes)
            return await _read(change, user_id)

        with conflicts_named():
            return await self._changes.make(work)

    async def change(self, user_id: int, wanted: UserChange) -> Changed[User]:
        """Raises Conflict when username, email or external_id is taken."""
        given = wanted.model_dump(exclude_unset=True, exclude={"password"})
        given |= await self._hashed(wanted)

        async def work(change: Change) -> User:
            await change.touch_user(user_id)
            if given:
                await users.change(change.connection, user_id, given)
            return await _read(change, user_id)

        with conflicts_named():
            return await self._changes.make(work)

    async def put_many(self, items: Sequence[BulkUser | UnusableItem]) -> Changed[BulkAnswer]:
        """Makes or updates users by external_id, with a result each."""

        async def work(change: Change) -> BulkAnswer:
            return await bulk.upsert(change, items)

        return await self._changes.make(work)

    async def delete(self, user_id: int) -> Changed[None]:
        async def work(change: Change) -> None:
            version = await users.remove(change.connection, user_id)
            if version is None:
                raise no_such_user(user_id)
            change.forget(user_id, version)

        return await self._changes.make(work)

    async def read(self, user_id: int) -> User:
        async with self._database.connect() as connection:
            user = await users.read(connection, user_id)
        if user is None:
            raise no_such_user(user_id)
        return user

    async def page(self, *, after: int, limit: int, **filters: str | None) -> list[User]:
        async with self._database.connect() as connection:
            return await users.page(connection, after=after, limit=limit, **filters)

    async def profiles(self, user_ids: list[int]) -> list[Profile]:
        """Those that exist."""
        async with self._database.connect() as connection:
            return await profiles.read(connection, user_ids)

    async def preferences(self, user_id: int) -> Preferences:
        async with self._database.connect() as connection:
            found = await preferences.read(connection, user_id)
        if found is None:
            raise no_such_user(user_id)
        return found

    async def change_preferences(
        self, user_id: int, wanted: PreferencesChange
    ) -> Changed[Preferences]:
        async def work(change: Change) -> Preferences:
            await prefer(change, user_id, wanted)
            found = await preferences.read(change.connection, user_id)
            if found is None:
                raise no_such_user(user_id)
            return found

        return await self._changes.make(work)

    async def register_device(self, user_id: int, new: NewDevice) -> Changed[Assigned]:
        """A device that another user had moves to this one."""

        async def work(change: Change) -> Assigned:
            return await register(change, user_id, Target(new.kind, new.value))

        return await self._changes.make(work)

    async def devices(self, user_id: int, *, after: int, limit: int) -> list[Device]:
        await self.read(user_id)
        async with self._database.connect() as connection:
            return await devices.page(connection, user_id, after=after, limit=limit)

    async def remove_devices(self, user_id: int, device_id: int | None = None) -> Changed[int]:
        """Removes that one, or all; answers how many."""

        async def work(change: Change) -> int:
            await change.touch_user(user_id)
            removed = await devices.remove(change.connection, user_id, device_id)
            if device_id is not None and not removed:
                raise NotFound(f"User {user_id} has no device {device_id}.")
            return removed

        return await self._changes.make(work)

    async def switch_off(self, dead: DeadDevice) -> bool:
        """Whether the device was still the one that the provider spoke of, and is off now."""
        if not dead.device_id.isdecimal() or len(dead.device_id) > 18:
            return False

        async def work(change: Change) -> bool:
            device = (dead.user_id, int(dead.device_id), dead.value)
            if not await devices.is_on(change.connection, *device):
                return False
            await change.touch([dead.user_id])
            return await devices.switch_off(change.connection, *device)

        return (await self._changes.make(work)).value

    async def _hashed(self, given: NewUser | UserChange) -> dict[str, Any]:
        """The hash is made before the transaction, so that no lock waits for it."""
        if given.password is None:
            return {}
        return {"password_hash": await self._passwords.hashed(given.password)}


async def prefer(change: Change, user_id: int, wanted: PreferencesChange) -> None:
    """Changes what is given; a push token registers its device."""
    given = wanted.model_dump(exclude_unset=True, exclude={"push_token"})
    if wanted.push_token:
        await register(change, user_id, Target(TargetKind.FCM_TOKEN, wanted.push_token))
    else:
        await change.touch_user(user_id)
    if given:
        await preferences.change(change.connection, {user_id: given})


async def register(change: Change, user_id: int, target: Target) -> Assigned:
    """Both the user and who had the device are locked, and see their versions grow."""
    owners = await devices.owners(change.connection, [target])
    await change.touch_user(user_id, along=owners)
    assigned = await devices.assign(change.connection, {target: user_id}, locked=change.touched)
    if not assigned:
        raise Overtaken
    return assigned[0]


async def _read(change: Change, user_id: int) -> User:
    user = await users.read(change.connection, user_id)
    if user is None:
        raise no_such_user(user_id)
    return user
